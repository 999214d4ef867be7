//! What dockline and its tunnel say to one another: the very files that dockline has, where the format is described
//! (`src/core/wire.rs` of the root package).

#[path = "../../src/core/wire/fetched.rs"]
pub mod fetched;
#[path = "../../src/core/wire/hello.rs"]
pub mod hello;
#[path = "../../src/core/wire/message.rs"]
pub mod message;

pub use hello::{Key, Nonce, Stranger};
pub use message::{Malformed, Message, Session};
