//! The command line of the `sallyport` binary. Each command is a few lines here and lives elsewhere.

mod ca;
mod codes;
mod lock;
mod login;
mod policy;
mod start;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config;

/// The way into a production Kubernetes cluster: SSH in, under your own name, for an hour, on record.
#[derive(Debug, Parser)]
#[command(name = "sallyport", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign in: get a certificate for your SSH key through the company's OIDC provider
    Login(login::Login),
    /// Try it out on this machine: a small Kubernetes, an OIDC provider and the gateway, all on loopback
    Demo(Demo),
    /// Run the gateway
    Serve(Serve),
    /// The keys that sign people and the host
    #[command(subcommand)]
    Ca(ca::Ca),
    /// Sealed one-time codes, for break-glass while the OIDC provider is down
    #[command(subcommand)]
    Codes(codes::Codes),
    /// Check, test, explain and compare policies in files, without a cluster
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Shut somebody, some place or everything out at once, with a kubeconfig
    Lock(lock::Lock),
    /// Lift a lock, with a kubeconfig
    Unlock(lock::Unlock),
    /// List the locks, with a kubeconfig
    Locks(lock::Cluster),
    /// Print the custom resource definitions, for `kubectl apply -f -`
    Crds,
    /// Print a completion script for your shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// The embedded cluster's sample workloads; it starts them itself
    #[command(hide = true, name = "dev-workload")]
    DevWorkload {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// What the demo can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Where it keeps everything [default: sallyport/demo under the user's state directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Address for SSH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2222")]
    pub(crate) ssh: SocketAddr,
    /// Address for the gateway's HTTP side
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8022")]
    pub(crate) console: SocketAddr,
    /// Use this real cluster instead of the embedded one; custom resources and sample policies are installed there
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE", required_unless_present_any = ["print_default", "print_schema"])]
    config: Option<PathBuf>,
    /// Check the configuration file and stop
    #[arg(long, requires = "config")]
    check: bool,
    /// Print the documented default configuration and stop
    #[arg(long, exclusive = true)]
    print_default: bool,
    /// Print the configuration's JSON Schema and stop
    #[arg(long, exclusive = true)]
    print_schema: bool,
}

/// Runs the command line; the exit status is the process's.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Login(login) => login.run(),
        Command::Demo(options) => start::demo(options),
        Command::Serve(Serve { print_default: true, .. }) => print(config::DEFAULT),
        Command::Serve(Serve { print_schema: true, .. }) => {
            match serde_json::to_string_pretty(&config::Config::schema()) {
                Ok(schema) => print(&(schema + "\n")),
                Err(error) => fail(&error),
            }
        }
        Command::Serve(Serve { config, check, .. }) => start::serve(&config.unwrap_or_default(), check),
        Command::Ca(ca) => ca.run(),
        Command::Codes(codes) => codes.run(),
        Command::Policy(policy) => policy.run(),
        Command::Lock(lock) => lock.run(),
        Command::Unlock(unlock) => unlock.run(),
        Command::Locks(cluster) => cluster.list(),
        Command::Crds => match crate::crd::yaml() {
            Ok(yaml) => print(&yaml),
            Err(error) => fail(&error),
        },
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sallyport", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::DevWorkload { args } => sallyport_dev::cluster::workload_main(args),
    }
}

/// Prints to standard output; a reader who went away is no error worth a message.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says what went wrong, causes included, on standard error.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let (red, plain) = if io::stderr().is_terminal() { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(io::stderr(), "{red}sallyport:{plain} {text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
