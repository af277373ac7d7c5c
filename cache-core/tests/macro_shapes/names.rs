//! Functions that share a name.

use cache_core::{Error, ErrorKind, cached};

mod one {
    use cache_core::cached;

    #[cached]
    pub(super) async fn place(id: u32) -> String {
        format!("one {id}")
    }
}

mod other {
    use cache_core::cached;

    #[cached]
    pub(super) async fn place(id: u32) -> String {
        format!("other {id}")
    }
}

#[tokio::test]
async fn in_two_modules() {
    assert_eq!((one::place(1).await, other::place::get(1).await), ("one 1".into(), None));
    assert_eq!((other::place(1).await, one::place::get(1).await), ("other 1".into(), Some("one 1".into())));
}

async fn local_one() -> u32 {
    #[cached]
    async fn local() -> u32 {
        1
    }
    local().await
}

async fn local_two() -> u32 {
    #[cached]
    async fn local() -> u32 {
        2
    }
    local().await
}

#[tokio::test]
async fn in_two_functions() {
    assert_eq!((local_one().await, local_two().await, local_one().await), (1, 2, 1));
}

#[tokio::test]
async fn in_two_blocks_of_a_function() {
    let one = {
        #[cached]
        async fn twin() -> Result<u32, Error> {
            Ok(1)
        }
        twin().await
    };
    let two = {
        #[cached]
        async fn twin() -> Result<u32, Error> {
            Ok(2)
        }
        twin().await
    };
    // Nothing tells them apart, so the second is refused rather than given the first one's entries.
    assert_eq!((one.unwrap(), two.unwrap_err().kind()), (1, ErrorKind::Config));
}

#[tokio::test]
async fn of_a_function_and_a_method() {
    #[derive(Clone)]
    struct Shop;
    impl Shop {
        #[cached(skip(self))]
        async fn place(&self, id: u32) -> u32 {
            id
        }
    }
    #[cached]
    async fn place(id: u32) -> String {
        id.to_string()
    }
    assert_eq!((Shop.place(1).await, place(1).await), (1, "1".into()));
    assert_eq!((Shop.place_get(1).await, place::get(1).await), (Some(1), Some("1".into())));
}

#[tokio::test]
async fn of_a_function_and_its_argument() {
    #[cached(tags = ["{level}"])]
    async fn level(level: u32) -> u32 {
        level
    }
    assert_eq!((level(7).await, level::get(7).await), (7, Some(7)));
}
