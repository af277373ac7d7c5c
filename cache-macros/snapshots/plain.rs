pub async fn user(org: u32, name: &str) -> Result<User, DbError> {
    let __hit = {
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        ::cache_core::__private::hit(
            user::__site(),
            ::core::option::Option::None,
            ::cache_core::__private::outcome(
                (&&&::cache_core::__private::Returns::<Result<User, DbError>>::new()).outcome(),
            ),
            (::cache_core::__private::key_part(&org), ::cache_core::__private::key_part(&*name)),
        )
    };
    match __hit {
        ::core::option::Option::Some(hit) => hit,
        ::core::option::Option::None => {
            ::cache_core::__private::aside(|| user::__ask(org, name, ::cache_core::__private::Ask::Call))
                .await
                .returned()
        }
    }
}
#[doc = "What goes with the cached function [`user`](fn@user); each takes its arguments."]
#[allow(
    non_camel_case_types,
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    reason = "a name space, called as its function is"
)]
pub struct user {}
#[allow(dead_code, reason = "not every cached function needs all that goes with it")]
impl user {
    #[doc = r" Runs the function itself; the cache is neither read nor written."]
    pub async fn uncached(
        #[allow(unused_variables, reason = "`#[cached]` uses it")] org: u32,
        name: &str,
    ) -> Result<User, DbError> {
        db().user(org, name).await
    }
    #[doc = r" Runs the function whatever is cached, and caches what it returns, for everyone."]
    #[doc = r""]
    #[doc = r" Others are served the old entry until then; if the function fails, it stays."]
    pub fn refresh(org: u32, name: &str) -> impl ::core::future::Future<Output = Result<User, DbError>> {
        ::cache_core::__private::later(
            user::__ask(org, name, ::cache_core::__private::Ask::Refresh),
            ::cache_core::__private::Told::returned,
        )
    }
    #[doc = r" Calls the function, and says how the call was answered: from where, and how old the value is."]
    pub fn explain(
        org: u32,
        name: &str,
    ) -> impl ::core::future::Future<Output = ::cache_core::Answer<Result<User, DbError>>> {
        ::cache_core::__private::later(
            user::__ask(org, name, ::cache_core::__private::Ask::Explain),
            ::cache_core::__private::Told::explained,
        )
    }
    #[doc = r" What is cached for these arguments, in L1 or in L2. Runs nothing, and waits for no load."]
    pub fn get(org: u32, name: &str) -> impl ::core::future::Future<Output = ::core::option::Option<User>> {
        ::cache_core::__private::later(
            user::__ask(org, name, ::cache_core::__private::Ask::Get),
            ::cache_core::__private::Told::found,
        )
    }
    #[doc = r" Caches a value for these arguments, in every tier, in the place of whatever is there or being loaded."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be written, or the value can't be stored; L1 then holds nothing for the arguments."]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    pub fn insert(org: u32, name: &str, value: User) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
        ::cache_core::__private::later(
            user::__ask(org, name, ::cache_core::__private::Ask::Insert(value)),
            ::cache_core::__private::Told::inserted,
        )
    }
    #[doc = r" Revokes the entry of these arguments, in every tier and with every load of it in flight."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be told; the entry is dropped here all the same, and the invalidation is retried."]
    pub fn invalidate(org: u32, name: &str) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
        user::__target(org, name).invalidate()
    }
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    async fn __ask(
        org: u32,
        name: &str,
        ask: ::cache_core::__private::Ask<User>,
    ) -> ::cache_core::__private::Told<Result<User, DbError>, User> {
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        ::cache_core::__private::entry(
            user::__site(),
            ::core::option::Option::None,
            ::cache_core::__private::outcome(
                (&&&::cache_core::__private::Returns::<Result<User, DbError>>::new()).outcome(),
            ),
            (::cache_core::__private::key_part(&org), ::cache_core::__private::key_part(&*name)),
        )
        .ask::<User>(
            ask,
            || ::std::vec![::std::format!("org:{org}", org = org)],
            || user::__load(::cache_core::__private::copy(&org), ::cache_core::__private::lend(&*name)),
        )
        .await
    }
    #[doc(hidden)]
    pub fn __target(org: u32, name: &str) -> ::cache_core::__private::Target {
        ::cache_core::__private::at_once(user::__ask(org, name, ::cache_core::__private::Ask::Target)).target()
    }
    #[doc = r" The key of these arguments."]
    #[allow(unused_variables, reason = "arguments that are no part of the key")]
    pub fn key(org: u32, name: &str) -> (u32, <str as ::std::borrow::ToOwned>::Owned) {
        ::cache_core::__private::own((
            ::cache_core::__private::key_part(&org),
            ::cache_core::__private::key_part(&*name),
        ))
    }
    #[doc = r" What happened to the function's cache so far in this process."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    pub fn stats() -> ::cache_core::Stats {
        ::cache_core::__private::stats(user::__site(), ::core::option::Option::None)
    }
    #[doc = r" The function's cache, as a handle: for what the other companions don't do."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The cache can't be made, as for a call. Or the return type is a `Result` by another name, which hides the type"]
    #[doc = r" of the value."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    pub fn cache() -> ::cache_core::Result<::cache_core::Cache<(u32, <str as ::std::borrow::ToOwned>::Owned), User>> {
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        ::cache_core::__private::handle::<_, User, _, _>(
            user::__site(),
            ::core::option::Option::None,
            ::cache_core::__private::outcome(
                (&&&::cache_core::__private::Returns::<Result<User, DbError>>::new()).outcome(),
            ),
            |(org, name): (&'static u32, &'static str)| {
                (::cache_core::__private::key_part(&*org), ::cache_core::__private::key_part(&*name))
            },
        )
    }
    #[doc = r" Marks the entry of these arguments as stale, everywhere: it is served inside a stale window, and to nobody else."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be told; the entry is stale here all the same, and an invalidation is queued."]
    pub fn expire(org: u32, name: &str) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
        user::__target(org, name).expire()
    }
    #[doc = r" Runs `commit`, which changes what the function reads, under a guard: nothing is cached for these arguments"]
    #[doc = r" while it runs, and nothing stale is left, not even if this process dies half-way."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" No guard could be opened, and `commit` was not run."]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    pub fn write<Written: ::core::marker::Send + 'static>(
        org: u32,
        name: &str,
        commit: impl ::core::future::Future<Output = Written> + ::core::marker::Send + 'static,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<Written>> {
        user::__target(org, name).write(commit)
    }
    #[doc = r" Calls the function for each of these arguments, some at a time: what is not cached is then."]
    #[doc = r""]
    #[doc = r" Several arguments are given as a tuple; what the function borrows is given as anything that lends it. Calls"]
    #[doc = r" that fail are counted in the report."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" It took longer than a minute."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    pub fn warm(
        items: impl ::core::iter::IntoIterator<
            Item = (u32, impl ::core::borrow::Borrow<str> + ::core::marker::Send + ::core::marker::Sync + 'static),
        >,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<::cache_core::warm::Report>> {
        ::cache_core::__private::warm(user::__site(), items, |(org, name)| {
            ::cache_core::__private::boxed(async move {
                user::__ask(org, ::core::borrow::Borrow::<str>::borrow(&name), ::cache_core::__private::Ask::Warm)
                    .await
                    .warmed()
            })
        })
    }
    #[doc(hidden)]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn __load(
        org: u32,
        name: ::cache_core::__private::Lent<str>,
    ) -> ::cache_core::__private::Loading<Result<User, DbError>> {
        ::cache_core::__private::boxed(async move { user::uncached(org, ::cache_core::__private::lent(&name)).await })
    }
    #[doc(hidden)]
    fn __site() -> &'static ::cache_core::__private::Site {
        static SITE: ::cache_core::__private::Site = ::cache_core::__private::Site::new(
            ::cache_core::__private::Spec::new()
                .cache("user")
                .overrides(|__overrides| __overrides.ttl(::core::time::Duration::new(300u64, 0u32))),
        );
        &SITE
    }
}
