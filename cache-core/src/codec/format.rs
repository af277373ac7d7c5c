//! The built-in codecs by name.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[cfg(feature = "bincode")]
use super::Bincode;
#[cfg(feature = "messagepack")]
use super::MessagePack;
#[cfg(feature = "postcard")]
use super::Postcard;
use super::{Json, ValueCodec, typed};
use crate::{Error, ErrorKind, Result};

/// A built-in codec, as settings name it: `json`, `bincode`, `postcard` or `messagepack`.
///
/// All of them can be named whatever features are on; a cache whose codec was left out of the build is an
/// [`ErrorKind::Config`] error that names the feature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// [`Json`], the default.
    #[default]
    Json,
    /// bincode 2, with the feature `bincode`.
    Bincode,
    /// postcard, with the feature `postcard`.
    Postcard,
    /// MessagePack with field names, with the feature `messagepack`.
    MessagePack,
}

impl Format {
    const ALL: [Self; 4] = [Self::Json, Self::Bincode, Self::Postcard, Self::MessagePack];

    /// Its name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Bincode => "bincode",
            Self::Postcard => "postcard",
            Self::MessagePack => "messagepack",
        }
    }

    /// The codec for values of type `V`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if its feature is off.
    pub(crate) fn typed<V: Serialize + DeserializeOwned>(self) -> Result<Arc<dyn ValueCodec<V>>> {
        match self {
            Self::Json => Ok(typed(Json)),
            #[cfg(feature = "bincode")]
            Self::Bincode => Ok(typed(Bincode)),
            #[cfg(feature = "postcard")]
            Self::Postcard => Ok(typed(Postcard)),
            #[cfg(feature = "messagepack")]
            Self::MessagePack => Ok(typed(MessagePack)),
            #[allow(unreachable_patterns, reason = "nothing is left when every feature is on")]
            absent => Err(Error::new(ErrorKind::Config, "codec").context(format!(
                "the codec `{absent}` is not in this build: switch on the feature `{absent}` of cache-core"
            ))),
        }
    }

    /// # Errors
    /// [`ErrorKind::Config`] if its feature is off.
    pub(crate) fn check(self) -> Result<()> {
        self.typed::<()>().map(drop)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            Error::new(ErrorKind::Config, "codec")
                .context("a built-in codec is one of `json`, `bincode`, `postcard` and `messagepack`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
            assert_eq!(serde_json::to_string(&format).unwrap(), format!("\"{format}\""));
        }
        assert_eq!(Format::default(), Format::Json);
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "yaml".parse::<Format>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("messagepack"));
    }

    #[test]
    fn a_format_is_there_or_names_its_feature() {
        let built = [true, cfg!(feature = "bincode"), cfg!(feature = "postcard"), cfg!(feature = "messagepack")];
        for (position, (format, built)) in Format::ALL.into_iter().zip(built).enumerate() {
            match format.typed::<u32>() {
                Ok(codec) => {
                    assert!(built);
                    assert_eq!(usize::from(codec.id()), position + 1);
                }
                Err(error) => {
                    assert!(!built);
                    assert_eq!(error.kind(), ErrorKind::Config);
                    assert!(error.to_string().contains(&format!("feature `{format}`")));
                }
            }
        }
    }
}
