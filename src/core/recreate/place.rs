//! The names that containers have while one takes another's place.

/// Which of a container's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The name that it is known by.
    Known,
    /// Of the one that was there before, until the one in its place has proved itself.
    Backup,
    /// Of the one that is to take its place.
    New,
    /// Of the same, where it has the files that the one before wrote.
    Kept,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Known, Self::Backup, Self::New, Self::Kept];

    fn suffix(self) -> &'static str {
        match self {
            Self::Known => "",
            Self::Backup => ".dockline-backup",
            Self::New => ".dockline-new",
            Self::Kept => ".dockline-kept",
        }
    }

    /// The name, for a container that is known as `known`.
    pub fn of(self, known: &str) -> String {
        format!("{known}{}", self.suffix())
    }

    /// Reads a name: which place it is, and how the container is known.
    pub fn read(name: &str) -> (Self, &str) {
        let passing = [Self::Backup, Self::New, Self::Kept].into_iter();
        let mut found =
            passing.filter_map(|place| Some((place, name.strip_suffix(place.suffix())?)));
        found.next().unwrap_or((Self::Known, name))
    }
}
