//! What stands beside `#[cached]`, and visibilities.

use cache_core::{Source, cached};

/// Documented, and more.
#[cached]
#[must_use]
#[doc(alias = "fetch")]
#[allow(clippy::too_many_arguments, reason = "to see that it covers all that is generated")]
pub(crate) async fn documented(a: u8, b: u16, c: u32, d: u64, e: i8, f: i16, g: i32, h: i64) -> i128 {
    [a.into(), b.into(), c.into(), d.into(), e.into(), f.into(), g.into(), i128::from(h)].iter().sum()
}

#[tokio::test]
async fn documentation_lints_and_must_use() {
    assert_eq!(documented(1, 2, 3, 4, 5, 6, 7, 8).await, 36);
    assert_eq!(documented::explain(1, 2, 3, 4, 5, 6, 7, 8).await.source, Source::L1);
}

#[cached]
#[cfg(any())]
async fn chosen(does: Not, exist: Here) -> Anywhere {}

#[cfg(not(any()))]
#[cached]
async fn chosen() -> u32 {
    1
}

#[tokio::test]
async fn conditions_above_and_below() {
    assert_eq!((chosen().await, chosen::get().await), (1, Some(1)));
}

#[tokio::test]
async fn conditional_attributes() {
    #[cfg_attr(all(), cached(ttl = 60))]
    #[cfg_attr(all(), doc = "Documented, if all is well.", must_use)]
    #[cfg_attr(any(), no_such_attribute)]
    async fn conditional(id: u32) -> u32 {
        id
    }
    assert_eq!((conditional(7).await, conditional::get(7).await), (7, Some(7)));
}

#[tokio::test]
async fn an_expectation() {
    #[cached]
    #[expect(unused_variables, reason = "it is fulfilled by the body alone")]
    async fn expected(id: u32) -> u32 {
        let unused = id;
        7
    }
    assert_eq!((expected(1).await, expected::get(1).await), (7, Some(7)));
}

#[tokio::test]
async fn deprecation() {
    #[cached]
    #[deprecated = "to see that companions are not"]
    async fn old(id: u32) -> u32 {
        id
    }
    #[expect(deprecated, reason = "as it says")]
    let seven = old(7).await;
    assert_eq!((seven, old::get(7).await), (7, Some(7)));
}

#[tokio::test]
async fn the_attribute_under_another_name() {
    use cache_core::cached as kept;
    #[kept]
    async fn renamed(id: u32) -> u32 {
        id
    }
    assert_eq!((renamed(7).await, renamed::get(7).await), (7, Some(7)));
}

mod shop {
    #[allow(unreachable_pub, reason = "to have one")]
    pub(super) mod inner {
        use cache_core::cached;

        #[cached]
        pub async fn everywhere() -> u8 {
            1
        }

        #[cached]
        pub(crate) async fn in_the_crate() -> u8 {
            2
        }

        #[cached]
        pub(super) async fn above() -> u8 {
            3
        }

        #[cached]
        pub(in crate::attributes) async fn in_a_path() -> u8 {
            4
        }

        #[cached]
        async fn private() -> u8 {
            5
        }

        pub(super) async fn through() -> Option<u8> {
            private().await;
            private::get().await
        }
    }

    pub(super) async fn all() -> (u8, Option<u8>) {
        (inner::above().await, inner::through().await)
    }
}

#[tokio::test]
async fn visibilities() {
    use shop::inner::{everywhere, in_a_path, in_the_crate};
    assert_eq!((everywhere().await, in_the_crate().await, in_a_path().await), (1, 2, 4));
    assert_eq!(
        (everywhere::get().await, in_the_crate::get().await, in_a_path::get().await),
        (Some(1), Some(2), Some(4))
    );
    assert_eq!(shop::all().await, (3, Some(5)));
}
