//! The transport against real sockets: a test double serves, raw bytes ask.

#[cfg(test)]
mod double;
mod lanes;
mod limits;
mod places;
mod shapes;
