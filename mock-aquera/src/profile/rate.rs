//! Counts requests against the rate limits of a profile. Pure: the time is an input.
