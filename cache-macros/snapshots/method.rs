pub async fn user(&self, id: u64) -> Option<User> {
    let __bypassed = !::cache_core::__private::condition(|| self.is_open);
    let __hit = if __bypassed {
        ::core::option::Option::None
    } else {
        #[allow(unused_imports, reason = "the return type decides which of them is used")]
        use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
        let __key_0 = ::cache_core::__private::key(|| self.tenant);
        ::cache_core::__private::hit(
            Self::__user_site(),
            ::core::option::Option::None,
            ::cache_core::__private::outcome((&&&::cache_core::__private::Returns::<Option<User>>::new()).outcome()),
            (&__key_0, ::cache_core::__private::key_part(&id)),
        )
    };
    match __hit {
        ::core::option::Option::Some(hit) => hit,
        ::core::option::Option::None => ::cache_core::__private::aside(|| {
            Self::__user_ask(self, id, ::cache_core::__private::Ask::call(__bypassed))
        })
        .await
        .returned(),
    }
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Runs the function itself; the cache is neither read nor written."]
pub async fn user_uncached(&self, #[allow(unused_variables, reason = "`#[cached]` uses it")] id: u64) -> Option<User> {
    self.load(id).await
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Runs the function whatever is cached, and caches what it returns, for everyone."]
#[doc = r""]
#[doc = r" Others are served the old entry until then; if the function fails, it stays."]
pub fn user_refresh(&self, id: u64) -> impl ::core::future::Future<Output = Option<User>> {
    ::cache_core::__private::later(
        Self::__user_ask(self, id, ::cache_core::__private::Ask::Refresh),
        ::cache_core::__private::Told::returned,
    )
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Calls the function, and says how the call was answered: from where, and how old the value is."]
pub fn user_explain(&self, id: u64) -> impl ::core::future::Future<Output = ::cache_core::Answer<Option<User>>> {
    ::cache_core::__private::later(
        Self::__user_ask(self, id, ::cache_core::__private::Ask::Explain),
        ::cache_core::__private::Told::explained,
    )
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" What is cached for these arguments, in L1 or in L2. Runs nothing, and waits for no load."]
pub fn user_get(&self, id: u64) -> impl ::core::future::Future<Output = ::core::option::Option<Option<User>>> {
    ::cache_core::__private::later(
        Self::__user_ask(self, id, ::cache_core::__private::Ask::Get),
        ::cache_core::__private::Told::found,
    )
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Caches a value for these arguments, in every tier, in the place of whatever is there or being loaded."]
#[doc = r""]
#[doc = r" # Errors"]
#[doc = r" The shared store could not be written, or the value can't be stored; L1 then holds nothing for the arguments."]
#[allow(clippy::too_many_arguments, reason = "one more than the function has")]
pub fn user_insert(
    &self,
    id: u64,
    value: Option<User>,
) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
    ::cache_core::__private::later(
        Self::__user_ask(self, id, ::cache_core::__private::Ask::Insert(value)),
        ::cache_core::__private::Told::inserted,
    )
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Revokes the entry of these arguments, in every tier and with every load of it in flight."]
#[doc = r""]
#[doc = r" # Errors"]
#[doc = r" The shared store could not be told; the entry is dropped here all the same, and the invalidation is retried."]
pub fn user_invalidate(&self, id: u64) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
    Self::__user_target(self, id).invalidate()
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc(hidden)]
#[allow(clippy::too_many_arguments, reason = "one more than the function has")]
async fn __user_ask(
    &self,
    id: u64,
    ask: ::cache_core::__private::Ask<Option<User>>,
) -> ::cache_core::__private::Told<Option<User>, Option<User>> {
    let __bypassed = ask.bypasses(|| !::cache_core::__private::condition(|| self.is_open));
    #[allow(unused_imports, reason = "the return type decides which of them is used")]
    use ::cache_core::__private::{ByConverting as _, ByPanicking as _, ByValue as _};
    let __key_0 = ::cache_core::__private::key(|| self.tenant);
    ::cache_core::__private::entry(
        Self::__user_site(),
        ::core::option::Option::None,
        ::cache_core::__private::outcome((&&&::cache_core::__private::Returns::<Option<User>>::new()).outcome()),
        (&__key_0, ::cache_core::__private::key_part(&id)),
    )
    .bypassed(__bypassed)
    .ask::<Option<User>>(
        ask,
        || ::std::vec![],
        || Self::__user_load(::cache_core::__private::lend(&*self), ::cache_core::__private::copy(&id)),
    )
    .await
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc(hidden)]
pub fn __user_target(&self, id: u64) -> ::cache_core::__private::Target {
    ::cache_core::__private::at_once(Self::__user_ask(self, id, ::cache_core::__private::Ask::Target)).target()
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" The key of these arguments."]
#[allow(unused_variables, reason = "arguments that are no part of the key")]
pub fn user_key(&self, id: u64) -> impl ::cache_core::CacheKey {
    let __key_0 = ::cache_core::__private::key(|| self.tenant);
    ::cache_core::__private::own((&__key_0, ::cache_core::__private::key_part(&id)))
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" What happened to the function's cache so far in this process."]
#[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
pub fn user_stats() -> ::cache_core::Stats {
    ::cache_core::__private::stats(Self::__user_site(), ::core::option::Option::None)
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Marks the entry of these arguments as stale, everywhere: it is served inside a stale window, and to nobody else."]
#[doc = r""]
#[doc = r" # Errors"]
#[doc = r" The shared store could not be told; the entry is stale here all the same, and an invalidation is queued."]
pub fn user_expire(&self, id: u64) -> impl ::core::future::Future<Output = ::cache_core::Result<()>> {
    Self::__user_target(self, id).expire()
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Runs `commit`, which changes what the function reads, under a guard: nothing is cached for these arguments"]
#[doc = r" while it runs, and nothing stale is left, not even if this process dies half-way."]
#[doc = r""]
#[doc = r" # Errors"]
#[doc = r" No guard could be opened, and `commit` was not run."]
#[allow(clippy::too_many_arguments, reason = "one more than the function has")]
pub fn user_write<Written: ::core::marker::Send + 'static>(
    &self,
    id: u64,
    commit: impl ::core::future::Future<Output = Written> + ::core::marker::Send + 'static,
) -> impl ::core::future::Future<Output = ::cache_core::Result<Written>> {
    Self::__user_target(self, id).write(commit)
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc = "Goes with the cached method [`user`](Self::user)."]
#[doc = ""]
#[doc = r" Calls the function for each of these arguments, some at a time: what is not cached is then."]
#[doc = r""]
#[doc = r" Several arguments are given as a tuple; what the function borrows is given as anything that lends it. Calls"]
#[doc = r" that fail are counted in the report."]
#[doc = r""]
#[doc = r" # Errors"]
#[doc = r" It took longer than a minute."]
#[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
pub fn user_warm(
    items: impl ::core::iter::IntoIterator<
        Item = (impl ::core::borrow::Borrow<Self> + ::core::marker::Send + ::core::marker::Sync + 'static, u64),
    >,
) -> impl ::core::future::Future<Output = ::cache_core::Result<::cache_core::warm::Report>> {
    ::cache_core::__private::warm(Self::__user_site(), items, |(__instance, id)| {
        ::cache_core::__private::boxed(async move {
            Self::__user_ask(
                ::core::borrow::Borrow::<Self>::borrow(&__instance),
                id,
                ::cache_core::__private::Ask::Warm,
            )
            .await
            .warmed()
        })
    })
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc(hidden)]
#[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
fn __user_load(
    __instance: ::cache_core::__private::Lent<Self>,
    id: u64,
) -> ::cache_core::__private::Loading<Option<User>> {
    ::cache_core::__private::boxed(
        async move { Self::user_uncached(::cache_core::__private::lent(&__instance), id).await },
    )
}
#[allow(dead_code, reason = "not every cached method needs all that goes with it")]
#[doc(hidden)]
#[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
fn __user_site() -> &'static ::cache_core::__private::Site {
    static SITES: ::cache_core::__private::Sites = ::cache_core::__private::Sites::new();
    SITES.of(&Self::__user_site, || ::cache_core::__private::Spec::new())
}
