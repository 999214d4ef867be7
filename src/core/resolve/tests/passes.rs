//! What a name costs, however long it is.

use super::*;

/// Counts the passes it is led through.
struct Counting(usize);

impl Visitor for Counting {
    fn said(&mut self, answer: Option<Answer>) -> Option<Answer> {
        answer
    }

    fn pass<'a>(
        &mut self,
        _: places::Rule,
        places: impl Iterator<Item = places::Place<'a>>,
    ) -> Option<Answer> {
        self.0 += 1;
        // As far as any visitor goes.
        places.for_each(|_| {});
        None
    }
}

#[test]
fn a_name_of_many_labels_is_read_as_often_as_there_are_networks() {
    let map = sample::map(&format!("{PLAIN}\nrun peer id=cc01 n1=172.20.0.8"));
    let known = map.find_container("peer").unwrap();
    let peer = Scope::Container(known.container.id.clone());
    for (end, passes) in [("a", 2), ("n1", 4)] {
        let name = "a.".repeat(1_000) + end;
        let mut counting = Counting(0);
        assert!(walk(&map, &peer, &name, A, &mut counting).is_none());
        assert_eq!(counting.0, passes, "{end}");
    }
}
