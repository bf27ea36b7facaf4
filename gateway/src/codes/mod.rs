//! Sealed one-time codes: how named people get in for break-glass while the OIDC provider is down.
//!
//! [`make`] is done offline and writes sheets to print and a file that holds no code, only salted hashes. The gateway
//! reads that file ([`Book`]); whoever shows one code of their own and enough codes of others gets an [`Identity`] that
//! says so ([`Identity::by_codes`]). That a code is good only once is not known here but in the cluster
//! ([`crate::access::Access::burn_codes`]): until that has been asked, what [`Book::judge`] accepts lets nobody in.
//!
//! Whoever may write the file can name anybody: it is configuration, and as much to be guarded as the CA's keys.

mod book;
mod code;
mod make;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::identity::IdentityProblem;

pub use book::{Book, Found, Summary};
pub use code::Code;
pub use make::{Made, Plan, Sheet, make};

/// The most people that a file names.
pub const MOST_PEOPLE: usize = 64;
/// The most codes of one person.
pub const MOST_CODES: usize = 50;
/// The most codes that may be needed at once.
pub const MOST_NEEDED: usize = 8;

/// Why a file of people or of codes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CodesError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is longer than any such file.
    #[error("`{}` is over 1 MiB", .0.display())]
    TooLong(PathBuf),
    /// Others may change it.
    #[error("`{}` may be written by others (mode {mode:04o}); make it 0600 or 0640", path.display())]
    Writable {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It says something that is not understood; the text has line and column.
    #[error("{}: {what}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What and where.
        what: String,
    },
    /// Somebody in it cannot be.
    #[error("person {number} in it cannot be used: {problem}")]
    Person {
        /// Counted from 1.
        number: usize,
        /// Why.
        problem: IdentityProblem,
    },
    /// Something else in it cannot be.
    #[error("{0}")]
    Invalid(String),
}
