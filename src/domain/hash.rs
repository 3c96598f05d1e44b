//! The hash maps of rows, ids and numbers: several look-ups a row, keys of our own making, so a quick hash serves.
//! Its seed differs from process to process; nothing depends on the order of such a map.

use foldhash::fast::RandomState;

pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;
