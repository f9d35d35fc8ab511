//! Each kind of fault is found once, and what a repair mends grants no right.

mod damage;
mod faults;
mod references;
mod repairs;
mod store;
