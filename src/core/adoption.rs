//! What becomes of a tunnel that is there when dockline comes: containers may depend on it.

/// What is known of it without asking it anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether it is at home, at an address of a tunnel's, with a secret.
    pub is_placed: bool,
    /// Whether it runs and is not paused.
    pub runs: bool,
    /// Whether it was made of the very image that is wanted.
    pub has_image: bool,
    /// Where that image comes from.
    pub wanted: Image,
}

/// An image of tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// Its tag is the hash of what is in it.
    BuiltIn,
    /// Somebody asked for it.
    AskedFor,
}

/// What it says when it is greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// The version of the link that this dockline speaks.
    Ours,
    /// Another version: it is a tunnel, and of no use here.
    Another,
    /// Nothing, or nothing that a tunnel would.
    Nothing,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It serves on.
    Adopted,
    /// Another comes beside it and takes its name; it ends when its last caller has left.
    Succeeded,
    /// It is removed, and another made.
    Replaced,
}

impl Found {
    /// Whether what it speaks matters.
    pub fn is_to_be_asked(self) -> bool {
        self.is_placed && self.runs && (!self.has_image || self.wanted == Image::AskedFor)
    }

    /// Decides.
    pub fn fate(self, speaks: Speaks) -> Fate {
        match speaks {
            _ if !self.is_placed => Fate::Replaced,
            Speaks::Another if self.runs => Fate::Succeeded,
            _ if self.has_image => Fate::Adopted,
            // Nobody calls it.
            _ if !self.runs => Fate::Replaced,
            Speaks::Ours if self.wanted == Image::AskedFor => Fate::Succeeded,
            Speaks::Ours => Fate::Adopted,
            Speaks::Another | Speaks::Nothing => Fate::Replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates() {
        use Fate::{Adopted, Replaced, Succeeded};
        use Speaks::{Another, Nothing, Ours};
        for (found, speaks, fate) in [
            ("placed runs image", Nothing, Adopted),
            ("placed image", Nothing, Adopted),
            ("placed runs image asked", Ours, Adopted),
            ("placed runs image asked", Nothing, Adopted),
            ("placed runs image asked", Another, Succeeded),
            ("placed runs", Ours, Adopted),
            ("placed runs", Another, Succeeded),
            ("placed runs", Nothing, Replaced),
            ("placed runs asked", Ours, Succeeded),
            ("placed runs asked", Another, Succeeded),
            ("placed runs asked", Nothing, Replaced),
            ("placed", Nothing, Replaced),
            ("runs image", Nothing, Replaced),
            ("runs", Nothing, Replaced),
        ] {
            let is = |word| found.split(' ').any(|w| w == word);
            let it = Found {
                is_placed: is("placed"),
                runs: is("runs"),
                has_image: is("image"),
                wanted: if is("asked") {
                    Image::AskedFor
                } else {
                    Image::BuiltIn
                },
            };
            assert_eq!(it.fate(speaks), fate, "{found}, {speaks:?}");
            let matters = fate != it.fate(Nothing);
            assert!(it.is_to_be_asked() || !matters, "{found}");
        }
    }
}
