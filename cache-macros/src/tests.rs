//! Expansions as text: what is there, and what is not; and typical ones as a whole.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{expansion, invalidates};

fn expand(options: TokenStream, item: TokenStream) -> String {
    let expansion = expansion(options, item);
    let file: syn::File = syn::parse2(expansion.clone()).unwrap_or_else(|error| panic!("{error} in {expansion}"));
    quote!(#file).to_string()
}

fn mistakes(options: TokenStream, item: TokenStream) -> usize {
    expand(options, item).matches("compile_error").count()
}

#[test]
fn a_function_becomes_a_function_and_a_name_space() {
    let code = expand(
        quote!(),
        quote!(
            pub async fn user(id: u64) -> u64 {
                id
            }
        ),
    );
    let items = syn::parse_str::<syn::File>(&code).unwrap().items;
    assert!(matches!(items.as_slice(), [syn::Item::Fn(_), syn::Item::Struct(_), syn::Item::Impl(_)]), "{code}");
    for companion in ["uncached", "refresh", "explain", "get", "invalidate", "expire"] {
        assert!(code.contains(&format!("pub async fn {companion} (id : u64)")), "{companion} in {code}");
    }
    for companion in ["async fn insert (id : u64 , value : u64)", "fn key (id : u64)", "fn cache ()", "fn stats ()"] {
        assert!(code.contains(&format!("pub {companion}")), "{companion} in {code}");
    }
}

#[test]
fn the_body_is_there_once_and_as_it_was() {
    let code = expand(
        quote!(),
        quote!(
            async fn user(id: u64) -> u64 {
                let unlikely = id;
                unlikely
            }
        ),
    );
    assert_eq!(code.matches("let unlikely = id ; unlikely").count(), 1, "{code}");
}

#[test]
fn options_that_were_not_given_leave_no_trace() {
    let code = expand(
        quote!(),
        quote!(
            async fn user(id: u64) {}
        ),
    );
    for option in [". cache", ". policy", ". version", ". overrides", "__stack", "__key"] {
        assert!(!code.contains(option), "{option} in {code}");
    }
}

#[test]
fn options_reach_the_site() {
    let options = quote!(cache = "u", policy = "p", version = 3, ttl = "1m 500ms", crate = other);
    let code = expand(
        options,
        quote!(
            async fn user(id: u64) {}
        ),
    );
    for option in [
        r#". cache ("u")"#,
        r#". policy ("p")"#,
        ". version (3u32)",
        "Duration :: new (60u64 , 500000000u32)",
        "other :: __private :: Site",
    ] {
        assert!(code.contains(option), "{option} in {code}");
    }
    assert!(!code.contains("cache_core"), "{code}");
}

#[test]
fn every_item_keeps_the_conditions_of_the_function() {
    let code = expand(
        quote!(),
        quote!(
            #[cfg(unix)]
            #[doc = "Docs."]
            #[instrument]
            async fn user() {}
        ),
    );
    assert_eq!(code.matches("# [cfg (unix)]").count(), 3, "{code}");
    assert_eq!(code.matches("# [doc = \"Docs.\"]").count(), 1, "{code}");
    assert_eq!(code.matches("# [instrument]").count(), 1, "{code}");
}

#[test]
fn an_expectation_stays_with_the_body() {
    let code = expand(
        quote!(),
        quote!(
            #[expect(clippy::all)]
            async fn user() {}
        ),
    );
    assert_eq!(code.matches("# [expect (clippy :: all)]").count(), 1, "{code}");
    assert_eq!(code.matches("# [allow (clippy :: all)]").count(), 2, "{code}");
}

#[test]
fn the_function_survives_its_mistakes() {
    let code = expand(
        quote!(ttl = 0),
        quote!(
            fn user(id: u64) -> u64 {
                id
            }
        ),
    );
    assert!(code.starts_with("fn user (id : u64) -> u64 { id }"), "{code}");
}

#[test]
fn all_mistakes_are_reported() {
    let options = quote!(ttl = 0, cache = "", unknown, version = -1, skip(a), skip(b), tags = ["{", "{c}"]);
    assert_eq!(
        mistakes(
            options,
            quote!(
                fn user<T>(d: &mut T, e: *const u8) {}
            )
        ),
        9
    );
}

#[test]
fn a_mistake_in_a_list_is_reported_once() {
    assert_eq!(
        mistakes(
            quote!(tags = [a b], ttl = 5),
            quote!(
                async fn user() {}
            )
        ),
        1
    );
    assert_eq!(
        mistakes(
            quote!(skip(a b), ttl = 5),
            quote!(
                async fn user() {}
            )
        ),
        1
    );
}

/// `snapshots/` has typical expansions, to be read and reviewed as code. `UPDATE_SNAPSHOTS=1` renews them; format them by
/// `rustfmt --config-path . cache-macros/snapshots/*.rs`. What
/// that may change, white space, commas and braces, is not compared.
fn assert_snapshot(name: &str, code: &TokenStream) {
    let path = format!("{}/snapshots/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, code.to_string()).expect("the snapshots are in the source tree");
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let plain = |code: &TokenStream| code.to_string().replace([' ', '\n', ',', '{', '}'], "");
    let reviewed: TokenStream = reviewed.parse().expect("a snapshot is Rust");
    assert_eq!(
        plain(code),
        plain(&reviewed),
        "the expansion of `{name}` has changed; renew the snapshot and review it"
    );
}

#[test]
fn a_plain_function() {
    let function = quote!(
        pub async fn user(org: u32, name: &str) -> Result<User, DbError> {
            db().user(org, name).await
        }
    );
    assert_snapshot("plain", &expansion(quote!(cache = "user", ttl = "5m", tags = ["org:{org}"]), function));
}

#[test]
fn a_function_with_many_options() {
    let options = quote!(
        key = (*row, name.len()),
        stack = &app.stack,
        stale_if_error = WINDOW,
        codec = "postcard",
        unless = *row == 0,
        cache_if = User::is_active,
        validated
    );
    let function = quote!(
        async fn user((row, column): (u32, u32), name: String, app: &App) -> User {
            app.user(row, column, name).await
        }
    );
    assert_snapshot("options", &expansion(options, function));
}

#[test]
fn a_method() {
    let method = quote!(
        pub async fn user(&self, id: u64) -> Option<User> {
            self.load(id).await
        }
    );
    assert_snapshot("method", &expansion(quote!(key = (self.tenant, id), when = self.is_open), method));
}

#[test]
fn a_function_that_invalidates() {
    let function = quote!(
        pub async fn rename(&self, org: u32, id: u64) -> Result<(), DbError> {
            self.db.rename(org, id).await
        }
    );
    assert_snapshot("invalidates", &invalidates::expansion(quote!(user(self, id), tags = ["org:{org}"]), function));
}

#[test]
fn a_guarded_function() {
    let function = quote!(
        async fn deposit(account: u64, amount: i64) -> Result<(), BankError> {
            ledger().add(account, amount).await
        }
    );
    assert_snapshot("guarded", &invalidates::expansion(quote!(balance(account), guarded), function));
}

#[test]
fn a_generic_function() {
    let function = quote!(
        async fn row<'a, T: Table, const N: usize>(id: &'a T::Id) -> Result<T, T::Error>
        where
            T::Id: Ord,
        {
            T::row(id).await
        }
    );
    assert_snapshot("generic", &expansion(quote!(cache = T::NAME, ttl = T::TTL), function));
}

#[test]
fn an_implementation_of_a_trait() {
    let implementation = quote!(
        #[async_trait]
        impl<T: Table> Users for Repository<T> {
            type Error = DbError;

            /// Documented.
            #[cached(key = id, tags = [Self::tag()])]
            async fn user(&self, id: u64, (a, mut b): (u8, u8)) -> Result<User, Self::Error> {
                b = Self::tag().len();
                self.load(id, a, b).await.map_err(Self::Error::from)
            }

            fn tag() -> String {
                T::NAME.into()
            }
        }
    );
    assert_snapshot("implementation", &expansion(quote!(), implementation));
}
