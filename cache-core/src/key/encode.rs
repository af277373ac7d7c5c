//! How a key becomes text.
