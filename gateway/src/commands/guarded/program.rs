//! One program: taken to the person's directory with their variables, and given their terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sallyport_policy::commands::{Carrier, Cleared, Own};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ahead::{Hold, SETTLES};
use super::container::{Container, Input, Running, ask};
use super::shell::{Over, Shell, Typed};
use super::tidy::Tidy;
use crate::bridge::{Exit, Output};
use crate::commands::Desk;

impl<C: Container, D: Desk> Shell<C, D> {
    /// The command where and with what the person is, if that is not what the container has anyway.
    pub(super) async fn placed(
        &mut self,
        cleared: Cleared,
        environment: &[(String, String)],
        on_screen: bool,
    ) -> Result<Cleared, String> {
        let moved = self.state.moved.then(|| self.state.directory.clone()).flatten();
        let mut environment = environment.to_vec();
        if moved.is_none() && environment.is_empty() && !(on_screen && self.terminal) {
            return Ok(cleared);
        }
        let carrier = self.carrier().await;
        let terminal = on_screen && self.terminal && !environment.iter().any(|(name, _)| name == "TERM");
        match carrier {
            None if moved.is_none() && environment.is_empty() => Ok(cleared),
            None => Err(
                "this container has neither `env` nor `sh`, so programs cannot be given a directory or variables here: \
                 write absolute paths"
                    .to_owned(),
            ),
            Some(Carrier::Env) if moved.is_some() => Err(
                "this container has no way to start a program in another directory: write absolute paths".to_owned(),
            ),
            Some(carrier) => {
                if terminal {
                    environment.push(("TERM".to_owned(), self.term.clone()));
                }
                Ok(cleared.placed(moved.as_deref(), &environment, carrier))
            }
        }
    }

    /// How this container's programs are given directory and variables; tried once.
    async fn carrier(&mut self) -> Option<Carrier> {
        if let Some(known) = self.state.carrier {
            return known;
        }
        let probe = || Cleared::own(Own::Resolve("/".to_owned()));
        let mut found = None;
        for (carrier, directory) in
            [(Carrier::EnvChdir, Some("/")), (Carrier::Shell, Some("/")), (Carrier::Env, None)]
        {
            let variables = [("LC_ALL".to_owned(), "C".to_owned())];
            let said = ask(&self.container, probe().placed(directory, &variables, carrier)).await;
            if said.is_ok_and(|said| said.worked()) {
                found = Some(carrier);
                break;
            }
        }
        self.state.carrier = Some(found);
        found
    }

    /// One program with the person's terminal.
    pub(super) async fn on_terminal(&mut self, command: Cleared) -> Result<u8, Over> {
        let program = command.argv().first().cloned().unwrap_or_default();
        let size = *self.sizes.borrow_and_update();
        let (input, mut output) = match self.container.start(command, Some(size), true).await {
            Ok(started) => started,
            Err(error) => {
                tracing::info!(?error, "a command could not be started");
                self.say(format!("{program}: {error}")).await?;
                return Ok(126);
            }
        };
        let out = self.out.clone();
        let (typed, sizes, ahead) = (&mut self.typed, &mut self.sizes, &mut self.ahead);
        let fills_screen = AtomicBool::new(false);
        let (hold, showed) = (Mutex::new(Hold::starts(Instant::now())), Notify::new());
        let held = || hold.lock().unwrap_or_else(PoisonError::into_inner);
        let feed = async {
            let mut ended = false;
            loop {
                let over = ahead.is_over() && !ended;
                let due = held().until();
                let still = async {
                    tokio::time::sleep_until(due).await;
                    tokio::time::sleep(SETTLES).await;
                };
                tokio::select! {
                    // It may have to be held for longer, or not for as long.
                    () = showed.notified(), if over || !ahead.is_empty() => {}
                    // What was held is the program's: it still runs.
                    () = still, if over || !ahead.is_empty() => {
                        held().over();
                        if let Some(bytes) = ahead.take() && !input.write(bytes).await {
                            std::future::pending::<()>().await;
                        }
                        if over {
                            ended = true;
                            input.eof().await;
                        }
                    }
                    next = typed.recv() => match next {
                        Some(Typed::Bytes(bytes)) => {
                            let fills = fills_screen.load(Ordering::Relaxed);
                            let at_once = held().typed(ahead, bytes, Instant::now(), fills);
                            if let Some(bytes) = at_once && !input.write(bytes).await {
                                std::future::pending::<()>().await;
                            }
                        }
                        Some(Typed::Eof) => ahead.end(),
                        None => return Over::Gone,
                    },
                    Ok(()) = sizes.changed() => {
                        let size = *sizes.borrow_and_update();
                        input.resize(size).await;
                    }
                }
            }
        };
        let (mut last, mut tidy) = (Bytes::new(), Tidy::default());
        let pass = async {
            while let Some(next) = output.next().await {
                match next {
                    Output::Stdout(bytes) | Output::Stderr(bytes) => {
                        last = bytes.slice(bytes.len().saturating_sub(1)..);
                        tidy.output(&bytes);
                        held().shown(&bytes, Instant::now());
                        showed.notify_one();
                        fills_screen.store(tidy.fills_screen(), Ordering::Relaxed);
                        out.send(Output::Stdout(bytes)).await.map_err(|_| Over::Gone)?;
                    }
                    Output::Exit(exit) => return Ok(exit),
                }
            }
            Ok(Exit::Code(1))
        };
        let ended = tokio::select! {
            // Once it has ended, nothing more is given to it: what was typed is for the next prompt.
            biased;
            ended = pass => ended,
            over = feed => Err(over),
        };
        input.hang_up().await;
        let exit = ended?;
        self.returns.saw(&last);
        let order = tidy.finish();
        if !order.is_empty() {
            self.out.send(Output::Stdout(order.into())).await.map_err(|_| Over::Gone)?;
        }
        if let Some(message) = exit.message() {
            self.say(format!("{program}: {message}")).await?;
        }
        Ok(exit.status())
    }
}
