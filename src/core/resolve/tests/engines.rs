//! Where engines differ.

use super::{merged, seen_from};

#[test]
fn engines_before_25_say_names_as_aliases() {
    let inventory = "
        net a 172.20.0.0/16
        run web watched old host=www a=172.20.0.2 alias=a:front
        run db old id=d1 a=172.20.0.3";
    let rows = "
        web            A    172.20.0.2 by container
        front          A    172.20.0.2 by alias
        db             A    172.20.0.3
        d10000000000   A    172.20.0.3 by id
        172.20.0.2     PTR  web.a";
    merged(inventory, &format!("{rows}\nwww A 172.20.0.2 by hostname"));
    seen_from(
        "web",
        inventory,
        &format!("{rows}\nwww A 172.20.0.2 by hosts"),
    );
}

#[test]
fn engines_before_25_do_not_answer_to_names_they_made_up() {
    let rows = |old: &str, expected: &str, first: &str| {
        let inventory = format!(
            "
            net a 172.20.0.0/16
            run web watched a=172.20.0.2
            run happy_turing {old} id=d1 a=172.20.0.3 alias=a:x"
        );
        let rows = format!(
            "
            happy_turing    A    {expected}
            x               A    172.20.0.3
            d10000000000    A    172.20.0.3
            172.20.0.3      PTR  {first}.a"
        );
        merged(&inventory, &rows);
        seen_from("web", &inventory, &rows);
    };
    // Its PTR is its first alias, if that can be written down.
    let inventory = "
        net a 172.20.0.0/16
        run happy_turing old watched a=172.20.0.3 alias=a:dot. alias=a:x";
    merged(inventory, "x A 172.20.0.3\n172.20.0.3 PTR nxdomain");
    rows("old", "nxdomain", "x");
    rows("", "172.20.0.3", "happy_turing");
}

#[test]
fn engines_from_28_on_have_priorities_and_let_the_first_network_decide() {
    let inventory = |words: &str| {
        format!(
            "
            net a 172.20.0.0/16
            net b v6 172.21.0.0/16 fd00:b::/64
            net c internal 172.22.0.0/16
            run web watched a=172.20.0.2 b=172.21.0.2,fd00:b::2 c=172.22.0.2 {words}
            run db id=d1 a=172.20.0.3 b=172.21.0.3,fd00:b::3 c=172.22.0.3
            run far id=d2 b=172.21.0.4,fd00:b::4"
        )
    };
    let all = "priority=a:0 priority=b:0 priority=c:0";
    seen_from(
        "web",
        &inventory(all),
        "
        db     A     172.21.0.3
        db     AAAA  fd00:b::3
        far    AAAA  fd00:b::4",
    );
    let first = all.replace("a:0", "a:1");
    seen_from(
        "web",
        &inventory(&first),
        "
        db     A     172.20.0.3
        db     AAAA  nodata
        db.b   AAAA  fd00:b::3
        far    AAAA  fd00:b::4",
    );
    let internal = all.replace("c:0", "c:7");
    seen_from("web", &inventory(&internal), "db A 172.22.0.3");
    let last = all.replace("b:0", "b:-1");
    seen_from("web", &inventory(&last), "db A 172.20.0.3");
}
