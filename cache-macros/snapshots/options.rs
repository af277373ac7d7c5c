async fn user(__argument_0: (u32, u32), name: String, app: &App) -> User {
    #[allow(unused_variables, reason = "only some parts are spoken of")]
    let (row, column) = &__argument_0;
    let __bypassed = ::cache_core::__private::condition(|| *row == 0);
    ::cache_core::__private::aside(|| {
        user::__ask(__argument_0, name, app, ::cache_core::__private::Ask::call(__bypassed))
    })
    .await
    .returned()
}
#[doc = "What goes with the cached function [`user`](fn@user); each takes its arguments."]
#[allow(
    non_camel_case_types,
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    reason = "a name space, called as its function is"
)]
struct user {}
#[allow(dead_code, reason = "not every cached function needs all that goes with it")]
impl user {
    #[doc = r" Runs the function itself; the cache is neither read nor written."]
    async fn uncached(
        #[allow(unused_variables, reason = "`#[cached]` uses it")] (row, column): (u32, u32),
        #[allow(unused_variables, reason = "`#[cached]` uses it")] name: String,
        #[allow(unused_variables, reason = "`#[cached]` uses it")] app: &App,
    ) -> User {
        app.user(row, column, name).await
    }
    #[doc = r" Runs the function whatever is cached, and caches what it returns, for everyone."]
    #[doc = r""]
    #[doc = r" Others are served the old entry until then; if the function fails, it stays."]
    fn refresh(__argument_0: (u32, u32), name: String, app: &App) -> impl ::core::future::Future<Output = User> {
        ::cache_core::__private::later(
            user::__ask(__argument_0, name, app, ::cache_core::__private::Ask::Refresh),
            ::cache_core::__private::Told::returned,
        )
    }
    #[doc = r" Calls the function, and says how the call was answered: from where, and how old the value is."]
    fn explain(
        __argument_0: (u32, u32),
        name: String,
        app: &App,
    ) -> impl ::core::future::Future<Output = ::cache_core::Answer<User>> {
        ::cache_core::__private::later(
            user::__ask(__argument_0, name, app, ::cache_core::__private::Ask::Explain),
            ::cache_core::__private::Told::explained,
        )
    }
    #[doc = r" What is cached for these arguments, in L1 or in L2. Runs nothing, and waits for no load."]
    fn get(
        __argument_0: (u32, u32),
        name: String,
        app: &App,
    ) -> impl ::core::future::Future<Output = ::core::option::Option<User>> {
        ::cache_core::__private::later(
            user::__ask(__argument_0, name, app, ::cache_core::__private::Ask::Get),
            ::cache_core::__private::Told::found,
        )
    }
    #[doc = r" Caches a value for these arguments, in every tier, in the place of whatever is there or being loaded."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be written, or the value can't be stored; L1 then holds nothing for the arguments."]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    fn insert(
        __argument_0: (u32, u32),
        name: String,
        app: &App,
        value: User,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
        ::cache_core::__private::later(
            user::__ask(__argument_0, name, app, ::cache_core::__private::Ask::Insert(value)),
            ::cache_core::__private::Told::inserted,
        )
    }
    #[doc = r" Revokes the entry of these arguments, in every tier and with every load of it in flight."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be told; the entry is dropped here all the same, and the invalidation is retried."]
    fn invalidate(
        __argument_0: (u32, u32),
        name: String,
        app: &App,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
        user::__target(__argument_0, name, app).invalidate()
    }
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    async fn __ask(
        __argument_0: (u32, u32),
        name: String,
        app: &App,
        ask: ::cache_core::__private::Ask<User>,
    ) -> ::cache_core::__private::Told<User, User> {
        #[allow(unused_variables, reason = "only some parts are spoken of")]
        let (row, column) = &__argument_0;
        let __bypassed = ask.bypasses(|| ::cache_core::__private::condition(|| *row == 0));
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        let __stack = &(&app.stack);
        let __key = ::cache_core::__private::key(|| (*row, name.len()));
        ::cache_core::__private::entry(
            user::__site(),
            ::core::option::Option::Some(::cache_core::__private::AsStack::as_stack(__stack)),
            ::cache_core::__private::outcome((&&&::cache_core::__private::Returns::<User>::new()).outcome()),
            &__key,
        )
        .bypassed(__bypassed)
        .validated()
        .only_if(User::is_active)
        .ask::<User>(ask, || ::std::vec![], || user::__load(__argument_0, name, ::cache_core::__private::lend(&*app)))
        .await
    }
    #[doc(hidden)]
    fn __target(__argument_0: (u32, u32), name: String, app: &App) -> ::cache_core::__private::Target {
        ::cache_core::__private::at_once(user::__ask(__argument_0, name, app, ::cache_core::__private::Ask::Target))
            .target()
    }
    #[doc = r" The key of these arguments."]
    #[allow(unused_variables, reason = "arguments that are no part of the key")]
    fn key(__argument_0: (u32, u32), name: String, app: &App) -> impl ::cache_core::CacheKey {
        #[allow(unused_variables, reason = "only some parts are spoken of")]
        let (row, column) = &__argument_0;
        let __key = ::cache_core::__private::key(|| (*row, name.len()));
        ::cache_core::__private::own(&__key)
    }
    #[doc = r" What happened to the function's cache so far in this process."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn stats(app: &App) -> ::cache_core::Stats {
        let __stack = &(&app.stack);
        ::cache_core::__private::stats(
            user::__site(),
            ::core::option::Option::Some(::cache_core::__private::AsStack::as_stack(__stack)),
        )
    }
    #[doc = r" Marks the entry of these arguments as stale, everywhere: it is served inside a stale window, and to nobody else."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be told; the entry is stale here all the same, and an invalidation is queued."]
    fn expire(
        __argument_0: (u32, u32),
        name: String,
        app: &App,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
        user::__target(__argument_0, name, app).expire()
    }
    #[doc = r" Runs `commit`, which changes what the function reads, under a guard: nothing is cached for these arguments"]
    #[doc = r" while it runs, and nothing stale is left, not even if this process dies half-way."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" No guard could be opened, and `commit` was not run."]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    fn write<Written: ::core::marker::Send + 'static>(
        __argument_0: (u32, u32),
        name: String,
        app: &App,
        commit: impl ::core::future::Future<Output = Written> + ::core::marker::Send + 'static,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<Written>> {
        user::__target(__argument_0, name, app).write(commit)
    }
    #[doc = r" Calls the function for each of these arguments, some at a time: what is not cached is then."]
    #[doc = r""]
    #[doc = r" Several arguments are given as a tuple; what the function borrows is given as anything that lends it. Calls"]
    #[doc = r" that fail are counted in the report."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" It took longer than a minute."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn warm(
        items: impl ::core::iter::IntoIterator<
            Item = (
                (u32, u32),
                String,
                impl ::core::borrow::Borrow<App> + ::core::marker::Send + ::core::marker::Sync + 'static,
            ),
        >,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<::cache_core::warm::Report>> {
        ::cache_core::__private::warm(user::__site(), items, |(__argument_0, name, app)| {
            ::cache_core::__private::boxed(async move {
                user::__ask(
                    __argument_0,
                    name,
                    ::core::borrow::Borrow::<App>::borrow(&app),
                    ::cache_core::__private::Ask::Warm,
                )
                .await
                .warmed()
            })
        })
    }
    #[doc(hidden)]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn __load(
        __argument_0: (u32, u32),
        name: String,
        app: ::cache_core::__private::Lent<App>,
    ) -> ::cache_core::__private::Loading<User> {
        ::cache_core::__private::boxed(async move {
            user::uncached(__argument_0, name, ::cache_core::__private::lent(&app)).await
        })
    }
    #[doc(hidden)]
    fn __site() -> &'static ::cache_core::__private::Site {
        static SITE: ::cache_core::__private::Site = ::cache_core::__private::Site::new(
            ::cache_core::__private::Spec::new()
                .path(::core::any::type_name::<user>)
                .overrides(|__overrides| __overrides.stale_if_error(WINDOW).codec(::cache_core::Format::Postcard)),
        );
        &SITE
    }
}
