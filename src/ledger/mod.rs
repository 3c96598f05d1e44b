//! Floor 3: the durable memory of every batch.

#[doc(hidden)]
pub mod memory;
