pub async fn rename(&self, org: u32, id: u64) -> Result<(), DbError> {
    #[allow(unused_imports, reason = "what is returned decides which of them is used")]
    use ::cache_core::__private::{ByEnd as _, ByResult as _};
    let __revoking = ::cache_core::__private::Revoking::new()
        .entry(user::__target(self, id))
        .tags(::core::option::Option::None, ::std::vec![::std::format!("org:{org}", org = org)]);
    let __ended = async move {
        if false {
            return ::cache_core::__private::never::<Result<(), DbError>>();
        }
        { self.db.rename(org, id).await }
    }
    .await;
    __revoking.after((&&::cache_core::__private::Ended(&__ended)).succeeded()).await;
    __ended
}
