//! What a container wrote into its own files, on its way into the one in its place.

use serde_json::json;

use super::error::Asked as _;
use super::{Error, Recreation};
use crate::core::recreate::{Anew, Original, layer};

impl Recreation<'_> {
    /// Has `anew` made with the files of `original`, if it wrote any (or `anyway`); whether it has.
    pub(super) async fn keep(
        &self,
        original: &Original,
        anew: &mut Anew,
        anyway: bool,
    ) -> Result<bool, Error> {
        let changed = self.engine.changes(original.id()).await;
        let changed = changed.asked("ask what the container wrote")?;
        if !anyway && !layer::wrote(original, changed.iter().map(|change| change.path.as_str())) {
            return Ok(false);
        }
        (self.progress)(original.name(), "keeping what it wrote");
        let committed = self.engine.commit(original.id(), self.instance).await;
        let committed = committed.asked("keep what the container wrote")?;
        let kept = layer::kept_image(original, self.instance);
        let loaded = self.load(original, &committed, &kept).await;
        // The layers stay: the other image has them. Without it, they go.
        let removed = self.engine.remove_unused_image(&committed).await;
        loaded?;
        removed.asked("remove what is not needed any more")?;
        anew.body["Image"] = json!(kept);
        Ok(true)
    }

    async fn load(&self, original: &Original, committed: &str, kept: &str) -> Result<(), Error> {
        let base = self.engine.inspect_whole_image(original.image_id()).await;
        let base = base.asked("inspect the image")?;
        let image = self.engine.inspect_whole_image(committed).await;
        let image = image.asked("inspect what was kept")?.unwrap_or_default();
        // If somebody removed the image by force, the container's own configuration is all there is.
        let base = base.unwrap_or_else(|| layer::unmarked(&image, original));
        let loaded = self.engine.load_layers(&base, &image, Some(kept)).await;
        loaded.asked("load what was kept").map(drop)
    }
}
