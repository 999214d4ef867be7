//! Messages, in which both sides speak once they know each other.

use std::net::{IpAddr, SocketAddr};

/// Bytes before a message: its kind, and how many follow.
pub const HEAD: usize = 3;

/// No message is longer. Those of this version have a few dozen bytes, and at most one text.
pub const LONGEST: usize = 2_048;

/// The most bytes of a text in a message; longer ones are cut.
const LONGEST_TEXT: usize = 512;

/// Names one ownership of the tunnel, from a [`Message::Control`] to the end of its connection.
pub type Session = [u8; 16];

/// The other side does not keep to the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a malformed message")]
pub struct Malformed;

/// What is said once both sides know each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// dockline only wants to know whose tunnel this is.
    Probe,
    /// dockline wants to own the tunnel, for as long as the connection lasts.
    Control {
        /// Who it is, for people.
        owner: String,
    },
    /// dockline offers this connection for one caller.
    Stream {
        /// Under which ownership.
        session: Session,
    },
    /// The tunnel agrees.
    Granted {
        /// The ownership that begins, or that the stream belongs to.
        session: Session,
        /// Who owns the tunnel, if anybody does: the answer to a probe.
        owner: Option<String>,
    },
    /// Somebody else owns the tunnel.
    Busy {
        /// Who.
        owner: String,
    },
    /// The tunnel does not want that connection (any more).
    Refused,
    /// The sender is alive.
    Beat,
    /// dockline says how the entry is to behave.
    Settings {
        /// Whether callers are handed on.
        intercepting: bool,
        /// Whether callers on internal networks may get out.
        internal_egress: bool,
    },
    /// The tunnel asks for more streams, beside those that are always kept ready.
    Want {
        /// How many.
        streams: u16,
    },
    /// A caller has come; from here on the stream is the caller's.
    Caller {
        /// From where it calls.
        caller: SocketAddr,
        /// The address of the tunnel that it called.
        local: SocketAddr,
    },
    /// dockline has taken the caller.
    Taken,
    /// dockline leaves the tunnel, and finishes what it was handed.
    Farewell,
}

mod kind {
    pub(super) const PROBE: u8 = 1;
    pub(super) const CONTROL: u8 = 2;
    pub(super) const STREAM: u8 = 3;
    pub(super) const GRANTED: u8 = 4;
    pub(super) const BUSY: u8 = 5;
    pub(super) const REFUSED: u8 = 6;
    pub(super) const BEAT: u8 = 7;
    pub(super) const SETTINGS: u8 = 8;
    pub(super) const WANT: u8 = 9;
    pub(super) const CALLER: u8 = 10;
    pub(super) const TAKEN: u8 = 11;
    pub(super) const FAREWELL: u8 = 12;
}

mod tag {
    pub(super) const OWNER: u8 = 1;
    pub(super) const SESSION: u8 = 2;
    pub(super) const INTERCEPTING: u8 = 3;
    pub(super) const INTERNAL_EGRESS: u8 = 4;
    pub(super) const STREAMS: u8 = 5;
    pub(super) const CALLER: u8 = 6;
    pub(super) const LOCAL: u8 = 7;
}

/// The kind of a message, and how many bytes follow; they are to be read even if the kind is not known.
pub fn read_head(head: [u8; HEAD]) -> Result<(u8, usize), Malformed> {
    let [kind, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(Malformed);
    }
    Ok((kind, length))
}

impl Message {
    /// The message with its head.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Fields::default();
        let kind = match self {
            Self::Probe => kind::PROBE,
            Self::Control { owner } => {
                fields.text(tag::OWNER, owner);
                kind::CONTROL
            }
            Self::Stream { session } => {
                fields.add(tag::SESSION, session);
                kind::STREAM
            }
            Self::Granted { session, owner } => {
                fields.add(tag::SESSION, session);
                if let Some(owner) = owner {
                    fields.text(tag::OWNER, owner);
                }
                kind::GRANTED
            }
            Self::Busy { owner } => {
                fields.text(tag::OWNER, owner);
                kind::BUSY
            }
            Self::Refused => kind::REFUSED,
            Self::Beat => kind::BEAT,
            Self::Settings {
                intercepting,
                internal_egress,
            } => {
                fields.add(tag::INTERCEPTING, &[u8::from(*intercepting)]);
                fields.add(tag::INTERNAL_EGRESS, &[u8::from(*internal_egress)]);
                kind::SETTINGS
            }
            Self::Want { streams } => {
                fields.add(tag::STREAMS, &streams.to_be_bytes());
                kind::WANT
            }
            Self::Caller { caller, local } => {
                fields.address(tag::CALLER, *caller);
                fields.address(tag::LOCAL, *local);
                kind::CALLER
            }
            Self::Taken => kind::TAKEN,
            Self::Farewell => kind::FAREWELL,
        };
        fields.into_message(kind)
    }

    /// Reads what followed a head. Nothing if the kind is not known.
    pub fn decode(kind: u8, body: &[u8]) -> Result<Option<Self>, Malformed> {
        let body = Body::parse(body)?;
        Ok(Some(match kind {
            kind::PROBE => Self::Probe,
            kind::CONTROL => Self::Control {
                owner: body.text(tag::OWNER)?,
            },
            kind::STREAM => Self::Stream {
                session: body.array(tag::SESSION)?,
            },
            kind::GRANTED => Self::Granted {
                session: body.array(tag::SESSION)?,
                owner: body.text(tag::OWNER).ok(),
            },
            kind::BUSY => Self::Busy {
                owner: body.text(tag::OWNER)?,
            },
            kind::REFUSED => Self::Refused,
            kind::BEAT => Self::Beat,
            kind::SETTINGS => Self::Settings {
                intercepting: body.array::<1>(tag::INTERCEPTING)? != [0],
                internal_egress: body.array::<1>(tag::INTERNAL_EGRESS)? != [0],
            },
            kind::WANT => Self::Want {
                streams: u16::from_be_bytes(body.array(tag::STREAMS)?),
            },
            kind::CALLER => Self::Caller {
                caller: body.address(tag::CALLER)?,
                local: body.address(tag::LOCAL)?,
            },
            kind::TAKEN => Self::Taken,
            kind::FAREWELL => Self::Farewell,
            _ => return Ok(None),
        }))
    }
}

/// The fields of a message that is being written.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn add(&mut self, tag: u8, value: &[u8]) {
        // Every value has a bound far below, texts too.
        let length = u16::try_from(value.len()).unwrap_or_default();
        self.0.push(tag);
        self.0.extend(length.to_be_bytes());
        self.0.extend(&value[..length.into()]);
    }

    fn text(&mut self, tag: u8, text: &str) {
        let mut end = text.len().min(LONGEST_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.add(tag, &text.as_bytes()[..end]);
    }

    fn address(&mut self, tag: u8, address: SocketAddr) {
        let mut value = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        value.extend(address.port().to_be_bytes());
        self.add(tag, &value);
    }

    fn into_message(self, kind: u8) -> Vec<u8> {
        let length = u16::try_from(self.0.len()).unwrap_or_default();
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.extend(self.0);
        message
    }
}

/// The fields of a message that was read.
struct Body<'a>(Vec<(u8, &'a [u8])>);

impl<'a> Body<'a> {
    fn parse(mut bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Vec::new();
        while let [tag, high, low, rest @ ..] = bytes {
            let length = u16::from_be_bytes([*high, *low]).into();
            let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
            fields.push((*tag, value));
            bytes = rest;
        }
        if bytes.is_empty() {
            Ok(Self(fields))
        } else {
            Err(Malformed)
        }
    }

    fn get(&self, tag: u8) -> Result<&'a [u8], Malformed> {
        let mut fields = self.0.iter();
        let found = fields.find(|(other, _)| *other == tag);
        found.map(|(_, value)| *value).ok_or(Malformed)
    }

    fn array<const N: usize>(&self, tag: u8) -> Result<[u8; N], Malformed> {
        self.get(tag)?.try_into().map_err(|_| Malformed)
    }

    fn text(&self, tag: u8) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.get(tag)?);
        text.map(str::to_owned).map_err(|_| Malformed)
    }

    fn address(&self, tag: u8) -> Result<SocketAddr, Malformed> {
        let (ip, port) = self.get(tag)?.split_last_chunk::<2>().ok_or(Malformed)?;
        let ip = match ip.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(ip).map_err(|_| Malformed)?),
            _ => IpAddr::from(<[u8; 16]>::try_from(ip).map_err(|_| Malformed)?),
        };
        Ok(SocketAddr::new(ip, u16::from_be_bytes(*port)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address() -> impl Strategy<Value = SocketAddr> {
        (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
    }

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            Just(Message::Probe),
            Just(Message::Refused),
            Just(Message::Beat),
            Just(Message::Taken),
            Just(Message::Farewell),
            "\\PC{0,40}".prop_map(|owner| Message::Control { owner }),
            "\\PC{0,40}".prop_map(|owner| Message::Busy { owner }),
            any::<Session>().prop_map(|session| Message::Stream { session }),
            (any::<Session>(), proptest::option::of("\\PC{0,40}"))
                .prop_map(|(session, owner)| Message::Granted { session, owner }),
            any::<(bool, bool)>().prop_map(|(intercepting, internal_egress)| Message::Settings {
                intercepting,
                internal_egress
            }),
            any::<u16>().prop_map(|streams| Message::Want { streams }),
            (address(), address()).prop_map(|(caller, local)| Message::Caller { caller, local }),
        ]
    }

    fn read(bytes: &[u8]) -> Result<Option<Message>, Malformed> {
        let (head, body) = bytes.split_first_chunk::<HEAD>().ok_or(Malformed)?;
        let (kind, length) = read_head(*head)?;
        Message::decode(kind, body.get(..length).ok_or(Malformed)?)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(message in message()) {
            let bytes = message.encode();
            prop_assert!(bytes.len() <= HEAD + LONGEST);
            prop_assert_eq!(read(&bytes), Ok(Some(message)));
        }

        #[test]
        fn fields_that_are_not_known_are_skipped(message in message(), value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = message.encode();
            bytes.push(200);
            bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            bytes.extend(&value);
            let length = u16::try_from(bytes.len() - HEAD).unwrap();
            bytes[1..HEAD].copy_from_slice(&length.to_be_bytes());
            prop_assert_eq!(read(&bytes), Ok(Some(message)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            for kind in 0..=u8::MAX {
                let _ = Message::decode(kind, &bytes);
            }
        }

        #[test]
        fn what_is_cut_short_is_refused(message in message(), cut in 1_usize..20) {
            let bytes = message.encode();
            let body = &bytes[HEAD..];
            prop_assume!(!body.is_empty() && cut < body.len());
            let kept = &body[..body.len() - cut];
            // A whole field may be missing without harm only if it is one that may.
            if let Ok(Some(read)) = Message::decode(bytes[0], kept) {
                let may = matches!(read, Message::Granted { owner: None, .. });
                prop_assert!(may, "{:?} became {:?}", message, read);
            }
        }
    }

    #[test]
    fn kinds_that_are_not_known_are_skipped() {
        assert_eq!(Message::decode(200, &[9, 0, 1, 7]), Ok(None));
        assert_eq!(Message::decode(200, &[9, 0, 2, 7]), Err(Malformed));
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let owner = "ü".repeat(LONGEST_TEXT);
        let Ok(Some(Message::Busy { owner: read })) = read(
            &Message::Busy {
                owner: owner.clone(),
            }
            .encode(),
        ) else {
            panic!("not read");
        };
        assert_eq!(read.len(), LONGEST_TEXT);
        assert!(owner.starts_with(&read));
    }

    #[test]
    fn too_long_a_message_is_not_waited_for() {
        assert_eq!(read_head([1, 0x08, 0x00]), Ok((1, LONGEST)));
        assert_eq!(read_head([1, 0x08, 0x01]), Err(Malformed));
    }
}
