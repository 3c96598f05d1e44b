//! Floor 5: the job without a screen. A front end judges a file, shows what it came to, asks, admits it, sends it
//! and writes its results through this; the command line is one.
//!
//! The order is [`Judging::survey`], [`Judging::ask`], [`Judging::hold`], the person's consent,
//! [`Judging::admit`], [`Session::begin`], [`send`], [`Session::finish`]. [`send`] holds a batch to its terms and to
//! the caps of prices that only a look-up tells; [`Session::run`] below it is one leg and does not.

mod ahead;
mod exit;
pub mod guards;
mod judging;
mod past;
mod preflights;
mod rehearsal;
mod row_set;
mod sending;
mod session;
mod standing;
mod stop;
mod survey;
mod twins;
mod workload;

pub use exit::Exit;
pub use judging::{Admission, JudgeOptions, Judging};
pub use preflights::Preflights;
pub use rehearsal::sandbox_settings;
pub use row_set::RowSet;
pub use sending::{Amounts, Front, Sent, Terms, check_total, ending, send, sums_line, work};
pub use session::{
    Finished, Leg, REBUILT_NOTE, Selection, Session, absolute, host_name, is_rebuilt, may_be_retried,
    user_name,
};
pub use standing::{ByProvider, Standing};
pub use stop::Stop;
pub use survey::{
    InputFile, Known, NoteGroup, ProblemGroup, RowProblem, Survey, Surveyor, hash_file, notes_of,
    output_dialect, phone_plan, policy,
};
pub use twins::{Twin, Twins};
pub use workload::{Work, workload};
