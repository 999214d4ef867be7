//! Names that the engine made up.
//!
//! Before engine 25, Docker's resolver does not know the name of a container that was made without one, until it is
//! renamed. No field of the API says so; the name's form does: an adjective, `_`, a surname, and a digit where that was
//! taken. What this gets wrong: a user's own `happy_web`, which is taken for made up, and a made-up name given back by a
//! rename, which Docker then knows.

/// The adjectives that engines choose from.
const ADJECTIVES: &str = "
    admiring adoring affectionate agitated amazing angry awesome beautiful blissful bold boring brave busy charming
    clever cocky compassionate competent condescending confident cool cranky crazy dazzling determined distracted
    dreamy eager ecstatic elastic elated elegant eloquent epic exciting fervent festive flamboyant focused friendly
    frosty funny gallant gifted goofy gracious great happy hardcore heuristic hopeful hungry infallible inspiring
    intelligent interesting jolly jovial keen kind laughing loving lucid magical modest musing mystifying naughty
    nervous nice nifty nostalgic objective optimistic peaceful pedantic pensive practical priceless quirky quizzical
    recursing relaxed reverent romantic sad serene sharp silly sleepy stoic strange stupefied suspicious sweet tender
    thirsty trusting unruffled upbeat vibrant vigilant vigorous wizardly wonderful xenodochial youthful zealous zen";

/// Whether a container's name has the form of those that engines make up.
pub(super) fn is_made_up(name: &str) -> bool {
    let Some((adjective, rest)) = name.split_once('_') else {
        return false;
    };
    let surname = rest
        .strip_suffix(|c: char| c.is_ascii_digit())
        .unwrap_or(rest);
    let is_word = !surname.is_empty() && surname.bytes().all(|c| c.is_ascii_lowercase());
    is_word && ADJECTIVES.split_whitespace().any(|a| a == adjective)
}

#[cfg(test)]
mod tests {
    use super::is_made_up;

    #[test]
    fn made_up_names_are_an_adjective_and_a_surname() {
        for name in ["happy_turing", "nostalgic_robinson", "zen_curie7"] {
            assert!(is_made_up(name), "{name}");
        }
        for name in [
            "web",
            "web_server",
            "proj_db_1",
            "happy",
            "happy_",
            "happy_1",
            "happy_turing12",
            "happy_Turing",
            "Happy_turing",
            "happy_alan_turing",
        ] {
            assert!(!is_made_up(name), "{name}");
        }
    }
}
