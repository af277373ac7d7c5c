async fn deposit(account: u64, amount: i64) -> Result<(), BankError> {
    let __target = balance::__target(account);
    ::cache_core::__private::guarded(
        __target
            .write(async move {
                if false {
                    return ::cache_core::__private::never::<Result<(), BankError>>();
                }
                { ledger().add(account, amount).await }
            })
            .await,
    )
}
