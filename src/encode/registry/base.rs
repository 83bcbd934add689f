//! One of the registry's addresses, without its user.

use std::fmt;

use reqwest::Url;

use super::RegistryError;

/// One of the registry's addresses.
pub(super) struct Base {
    /// Without user and password.
    url: Url,
    /// User and password of the URL.
    pub(super) user: Option<(String, Option<String>)>,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl Base {
    pub(super) fn parse(text: &str) -> Result<Self, RegistryError> {
        let mut url = Url::parse(text).map_err(|_| RegistryError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(RegistryError::Url);
        }
        let user = (!url.username().is_empty())
            .then(|| (url.username().to_owned(), url.password().map(str::to_owned)));
        url.set_username("").map_err(|()| RegistryError::Url)?;
        url.set_password(None).map_err(|()| RegistryError::Url)?;
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self { url, user })
    }

    /// The address with these segments after its path.
    pub(super) fn path(&self, segments: &[&str]) -> Result<Url, RegistryError> {
        let mut url = self.url.clone();
        url.path_segments_mut().map_err(|()| RegistryError::Url)?.pop_if_empty().extend(segments);
        Ok(url)
    }
}
