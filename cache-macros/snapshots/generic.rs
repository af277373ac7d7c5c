async fn row<'a, T: Table, const N: usize>(id: &'a T::Id) -> Result<T, T::Error>
where
    T::Id: Ord,
{
    let __hit = {
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        ::cache_core::__private::hit(
            row::__site::<T, N>(),
            ::core::option::Option::None,
            ::cache_core::__private::outcome(
                (&&&::cache_core::__private::Returns::<Result<T, T::Error>>::new()).outcome(),
            ),
            ::cache_core::__private::key_part(&*id),
        )
    };
    match __hit {
        ::core::option::Option::Some(hit) => hit,
        ::core::option::Option::None => {
            ::cache_core::__private::aside(|| row::__ask::<T, N>(id, ::cache_core::__private::Ask::Call))
                .await
                .returned()
        }
    }
}
#[doc = "What goes with the cached function [`row`](fn@row); each takes its arguments."]
#[allow(
    non_camel_case_types,
    dead_code,
    missing_copy_implementations,
    missing_debug_implementations,
    reason = "a name space, called as its function is"
)]
struct row {}
#[allow(dead_code, reason = "not every cached function needs all that goes with it")]
impl row {
    #[doc = r" Runs the function itself; the cache is neither read nor written."]
    async fn uncached<'a, T: Table, const N: usize>(id: &'a T::Id) -> Result<T, T::Error>
    where
        T::Id: Ord,
    {
        T::row(id).await
    }
    #[doc = r" Runs the function whatever is cached, and caches what it returns, for everyone."]
    #[doc = r""]
    #[doc = r" Others are served the old entry until then; if the function fails, it stays."]
    fn refresh<'a, T: Table, const N: usize>(id: &'a T::Id) -> impl ::core::future::Future<Output = Result<T, T::Error>>
    where
        T::Id: Ord,
    {
        ::cache_core::__private::later(
            row::__ask::<T, N>(id, ::cache_core::__private::Ask::Refresh),
            ::cache_core::__private::Told::returned,
        )
    }
    #[doc = r" Calls the function, and says how the call was answered: from where, and how old the value is."]
    fn explain<'a, T: Table, const N: usize>(
        id: &'a T::Id,
    ) -> impl ::core::future::Future<Output = ::cache_core::Answer<Result<T, T::Error>>>
    where
        T::Id: Ord,
    {
        ::cache_core::__private::later(
            row::__ask::<T, N>(id, ::cache_core::__private::Ask::Explain),
            ::cache_core::__private::Told::explained,
        )
    }
    #[doc = r" What is cached for these arguments, in L1 or in L2. Runs nothing, and waits for no load."]
    fn get<'a, T: Table, const N: usize>(
        id: &'a T::Id,
    ) -> impl ::core::future::Future<Output = ::core::option::Option<T>>
    where
        T::Id: Ord,
    {
        ::cache_core::__private::later(
            row::__ask::<T, N>(id, ::cache_core::__private::Ask::Get),
            ::cache_core::__private::Told::found,
        )
    }
    #[doc = r" Caches a value for these arguments, in every tier, in the place of whatever is there or being loaded."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be written, or the value can't be stored; L1 then holds nothing for the arguments."]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    fn insert<'a, T: Table, const N: usize>(
        id: &'a T::Id,
        value: T,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<()>>
    where
        T::Id: Ord,
    {
        ::cache_core::__private::later(
            row::__ask::<T, N>(id, ::cache_core::__private::Ask::Insert(value)),
            ::cache_core::__private::Told::inserted,
        )
    }
    #[doc = r" Revokes the entry of these arguments, in every tier and with every load of it in flight."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be told; the entry is dropped here all the same, and the invalidation is retried."]
    fn invalidate<'a, T: Table, const N: usize>(
        id: &'a T::Id,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<()>>
    where
        T::Id: Ord,
    {
        row::__target::<T, N>(id).invalidate()
    }
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    async fn __ask<'a, T: Table, const N: usize>(
        id: &'a T::Id,
        ask: ::cache_core::__private::Ask<T>,
    ) -> ::cache_core::__private::Told<Result<T, T::Error>, T>
    where
        T::Id: Ord,
    {
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        ::cache_core::__private::entry(
            row::__site::<T, N>(),
            ::core::option::Option::None,
            ::cache_core::__private::outcome(
                (&&&::cache_core::__private::Returns::<Result<T, T::Error>>::new()).outcome(),
            ),
            ::cache_core::__private::key_part(&*id),
        )
        .ask::<T>(ask, || ::std::vec![], || row::__load::<T, N>(::cache_core::__private::lend(&*id)))
        .await
    }
    #[doc(hidden)]
    fn __target<'a, T: Table, const N: usize>(id: &'a T::Id) -> ::cache_core::__private::Target
    where
        T::Id: Ord,
    {
        ::cache_core::__private::at_once(row::__ask::<T, N>(id, ::cache_core::__private::Ask::Target)).target()
    }
    #[doc = r" The key of these arguments."]
    #[allow(unused_variables, reason = "arguments that are no part of the key")]
    fn key<'a, T: Table, const N: usize>(id: &'a T::Id) -> <T::Id as ::std::borrow::ToOwned>::Owned
    where
        T::Id: Ord,
    {
        ::cache_core::__private::own(::cache_core::__private::key_part(&*id))
    }
    #[doc = r" What happened to the function's cache so far in this process."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn stats<'a, T: Table, const N: usize>() -> ::cache_core::Stats
    where
        T::Id: Ord,
    {
        ::cache_core::__private::stats(row::__site::<T, N>(), ::core::option::Option::None)
    }
    #[doc = r" The function's cache, as a handle: for what the other companions don't do."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The cache can't be made, as for a call. Or the return type is a `Result` by another name, which hides the type"]
    #[doc = r" of the value."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn cache<'a, T: Table, const N: usize>()
    -> ::cache_core::Result<::cache_core::Cache<<T::Id as ::std::borrow::ToOwned>::Owned, T>>
    where
        T::Id: Ord,
    {
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        ::cache_core::__private::handle::<_, T, _, _>(
            row::__site::<T, N>(),
            ::core::option::Option::None,
            ::cache_core::__private::outcome(
                (&&&::cache_core::__private::Returns::<Result<T, T::Error>>::new()).outcome(),
            ),
            |(id,): (&'static T::Id,)| ::cache_core::__private::key_part(&*id),
        )
    }
    #[doc = r" Marks the entry of these arguments as stale, everywhere: it is served inside a stale window, and to nobody else."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" The shared store could not be told; the entry is stale here all the same, and an invalidation is queued."]
    fn expire<'a, T: Table, const N: usize>(
        id: &'a T::Id,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<()>>
    where
        T::Id: Ord,
    {
        row::__target::<T, N>(id).expire()
    }
    #[doc = r" Runs `commit`, which changes what the function reads, under a guard: nothing is cached for these arguments"]
    #[doc = r" while it runs, and nothing stale is left, not even if this process dies half-way."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" No guard could be opened, and `commit` was not run."]
    #[allow(clippy::too_many_arguments, reason = "one more than the function has")]
    fn write<'a, T: Table, const N: usize, Written: ::core::marker::Send + 'static>(
        id: &'a T::Id,
        commit: impl ::core::future::Future<Output = Written> + ::core::marker::Send + 'static,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<Written>>
    where
        T::Id: Ord,
    {
        row::__target::<T, N>(id).write(commit)
    }
    #[doc = r" Calls the function for each of these arguments, some at a time: what is not cached is then."]
    #[doc = r""]
    #[doc = r" Several arguments are given as a tuple; what the function borrows is given as anything that lends it. Calls"]
    #[doc = r" that fail are counted in the report."]
    #[doc = r""]
    #[doc = r" # Errors"]
    #[doc = r" It took longer than a minute."]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn warm<'a, T: Table, const N: usize>(
        items: impl ::core::iter::IntoIterator<
            Item = impl ::core::borrow::Borrow<T::Id> + ::core::marker::Send + ::core::marker::Sync + 'static,
        >,
    ) -> impl ::core::future::Future<Output = ::cache_core::Result<::cache_core::warm::Report>>
    where
        T::Id: Ord,
    {
        ::cache_core::__private::warm(row::__site::<T, N>(), items, |id| {
            ::cache_core::__private::boxed(async move {
                row::__ask::<T, N>(::core::borrow::Borrow::<T::Id>::borrow(&id), ::cache_core::__private::Ask::Warm)
                    .await
                    .warmed()
            })
        })
    }
    #[doc(hidden)]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn __load<'a, T: Table, const N: usize>(
        id: ::cache_core::__private::Lent<T::Id>,
    ) -> ::cache_core::__private::Loading<Result<T, T::Error>>
    where
        T::Id: Ord,
    {
        ::cache_core::__private::boxed(async move { row::uncached::<T, N>(::cache_core::__private::lent(&id)).await })
    }
    #[doc(hidden)]
    #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
    fn __site<'a, T: Table, const N: usize>() -> &'static ::cache_core::__private::Site
    where
        T::Id: Ord,
    {
        static SITES: ::cache_core::__private::Sites = ::cache_core::__private::Sites::new();
        SITES.of(&row::__site::<T, N>, || {
            ::cache_core::__private::Spec::new()
                .named(|| ::cache_core::__private::cache_name(T::NAME))
                .overrides(|__overrides| __overrides.ttl(T::TTL))
        })
    }
}
