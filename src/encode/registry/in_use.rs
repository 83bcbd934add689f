//! Whether the registry still has the schemas that records refer to.
//!
//! A registry that lost its store comes back empty and answers everything else as before. Without
//! this check, later records would have ids that mean nothing there, or another schema once other
//! clients have registered.

use std::sync::PoisonError;

use super::{Registry, RegistryError, SchemaId, same_schema::is_same};

impl Registry {
    /// Whether this process has registered or found a schema under this id.
    pub fn is_in_use(&self, id: SchemaId) -> bool {
        self.known().values().any(|known| *known == id)
    }

    /// Checks one id that is in use, another one each time: `false` if the registry has
    /// something else there, or nothing.
    pub async fn check_in_use(&self) -> Result<bool, RegistryError> {
        let Some((key, id)) = self.next_in_use() else { return Ok(true) };
        let text = self.schema(id).await?;
        Ok(text.is_some_and(|text| is_same(&text, &key.1)))
    }

    /// Checks the one that was checked last once more; if the registry still does not have it, all
    /// ids are forgotten, and [`Self::take_lost`] says so.
    pub async fn recheck_in_use(&self) -> Result<(), RegistryError> {
        let last = self.last_checked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(key) = last else { return Ok(()) };
        let Some(id) = self.known().get(&key).copied() else { return Ok(()) };
        if self.schema(id).await?.is_some_and(|text| is_same(&text, &key.1)) {
            return Ok(());
        }
        self.known().clear();
        let lost = RegistryError::Lost { subject: key.0, id: id.0 };
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
        Ok(())
    }

    /// What the registry has lost, once.
    pub fn take_lost(&self) -> Option<RegistryError> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The next one in the order of subjects, from the first again after the last.
    fn next_in_use(&self) -> Option<((String, String), SchemaId)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let mut last = self.last_checked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known();
        let behind = last.take().and_then(|last| known.range((Excluded(last), Unbounded)).next());
        let (key, id) = behind.or_else(|| known.iter().next())?;
        *last = Some(key.clone());
        Some((key.clone(), *id))
    }
}
