//! `GET /networks/{id}`: who looks whether a network is empty, is not told of dockline's own containers.

use serde_json::Result;

use super::Object;

/// The answer without the members for which `hidden` holds; nothing if it stays as it came.
pub fn inspect(answer: &[u8], hidden: impl Fn(&str) -> bool) -> Result<Option<Vec<u8>>> {
    let mut network: Object = serde_json::from_slice(answer)?;
    let mut members: Object = network.read("Containers")?.unwrap_or_default();
    if !members.retain(|id| !hidden(id)) {
        return Ok(None);
    }
    network.set("Containers", &members)?;
    serde_json::to_vec(&network).map(Some)
}

#[cfg(test)]
mod tests {
    use super::inspect;

    #[test]
    fn hidden_members_are_left_out_and_nothing_else_changes() {
        let answer = br#"{"Name":"shop", "X":1.50,"Containers":{"a":{"Name":"web"},"b":{}}}"#;
        let shown = inspect(answer, |id| id == "b").unwrap().unwrap();
        let expected = br#"{"Name":"shop","X":1.50,"Containers":{"a":{"Name":"web"}}}"#;
        assert_eq!(shown, expected);
        assert_eq!(inspect(answer, |_| false).unwrap(), None);
        assert_eq!(inspect(br#"{"Name":"shop"}"#, |_| true).unwrap(), None);
        assert!(inspect(b"[]", |_| true).is_err());
    }
}
