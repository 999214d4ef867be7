//! What of the bodies of API calls and answers is changed. Bytes in, bytes out; what is not changed stays byte for byte.
//!
//! A body that is not understood is left as it is: the engine says what is wrong with it, in its own words.

pub mod commit;
pub mod create;
pub mod list;
pub mod network;
mod object;

use object::Object;
