//! How a switch is written: an enum whose words are those of the profile file, the RFC's behaviour first.

/// Declares switches. The first word is the default; the comment on each is what people are told it does.
macro_rules! switches {
    ($(
        $(#[$about:meta])*
        $name:ident {
            $(#[$first_about:meta])* $first:ident = $first_word:tt,
            $($(#[$variant_about:meta])* $variant:ident = $word:tt,)*
        }
    )*) => {$(
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, Default,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $(#[$first_about])*
            #[default]
            #[serde(rename = $first_word)]
            $first,
            $($(#[$variant_about])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every position, the RFC's first.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant),*];

            /// The word that a profile file has for it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word,)*
                }
            }
        }
    )*};
}

pub(super) use switches;
