//! Holds nothing: no crate of this workspace enables the features that would use it.
compile_error!("a feature asks for sqlx, which ci/absent-sqlx stands for: remove that from the [patch] of Cargo.toml");
