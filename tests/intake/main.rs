//! Promises of file intake, numbering and the offline judge, kept against tables and files.

mod cells;
