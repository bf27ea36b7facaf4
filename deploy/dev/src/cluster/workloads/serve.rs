//! The servers among the sample programs.

use std::future::Future;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

/// Connections at one time; more wait in the listener's queue.
const CONNECTIONS: usize = 256;

/// Runs a program until it ends or SIGTERM comes, which is a success.
pub(super) fn run(program: impl Future<Output = io::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let mut stop = signal(SignalKind::terminate())?;
            tokio::select! {
                ended = program => ended,
                _ = stop.recv() => Ok(()),
            }
        })
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does nothing until it is stopped.
pub(super) async fn wait() -> io::Result<()> {
    std::future::pending().await
}

/// Sends everything back; a peer that has finished sending still gets the rest.
pub(super) async fn echo(port: u16) -> io::Result<()> {
    let listener = listen(port).await?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A peer that breaks off is no fault of the server's.
            let _ = send_back(stream).await;
            drop(place);
        });
    }
}

async fn send_back(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut from, mut to) = stream.split();
    let mut from = tokio::io::BufReader::with_capacity(256 << 10, &mut from);
    tokio::io::copy_buf(&mut from, &mut to).await?;
    to.shutdown().await
}

/// Tells which pod it is.
pub(super) async fn http(port: u16) -> io::Result<()> {
    let name = std::env::var("HOSTNAME").unwrap_or_else(|_| "somebody".into());
    let answer = move |request: axum::extract::Request| async move {
        let _ = writeln!(io::stdout(), "{} {}", request.method(), request.uri().path());
        format!("this is {name}\n")
    };
    let server = axum::serve(listen(port).await?, Router::new().fallback(answer));
    server.await
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    let address = std::env::var("POD_IP").ok().and_then(|address| address.parse::<IpAddr>().ok());
    let address = address.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let listener = TcpListener::bind((address, port)).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on `{address}:{port}`: {error}"))
    })?;
    writeln!(io::stdout(), "listening on {address}:{port}")?;
    Ok(listener)
}
