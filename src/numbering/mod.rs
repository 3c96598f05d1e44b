//! Floor 1: phone numbers by country: shapes, prefixes, operators, repairs. Pure: a cell becomes a number or
//! a named problem; the tables are data files with one reader, nothing is guessed in silence.

mod calling;
mod cell;
mod file;
mod plan;
mod problem;
mod read;

pub use calling::CallingCodes;
pub use cell::{excel_text, is_date, is_invisible, is_narrow, is_sheet_error};
pub use plan::{Mark, PhonePlan, PlanError, PlanProblem};
pub use problem::{PhoneProblem, PhoneWarning, Repair, Repairs};
pub use read::ReadPhone;
