#[async_trait]
impl<T: Table> Users for Repository<T> {
    type Error = DbError;
    #[doc = r" Documented."]
    async fn user(&self, id: u64, __argument_2: (u8, u8)) -> Result<User, Self::Error> {
        Self::user(self, id, __argument_2).await
    }
    fn tag() -> String {
        T::NAME.into()
    }
}
#[allow(unreachable_pub, private_interfaces, private_bounds, reason = "visible as the trait is")]
impl<T: Table> Repository<T> {
    #[doc(hidden)]
    #[doc = r" Documented."]
    # [cached (associated , key = id , tags = [< Self as Users > :: tag ()])]
    pub async fn user(&self, id: u64, (a, mut b): (u8, u8)) -> Result<User, <Self as Users>::Error> {
        b = <Self as Users>::tag().len();
        self.load(id, a, b).await.map_err(<Self as Users>::Error::from)
    }
}
