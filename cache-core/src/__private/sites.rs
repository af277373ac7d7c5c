//! Where a generic function or a method is declared: a site for each of its instances.

use std::{
    any::{TypeId, type_name},
    sync::OnceLock,
};

use super::{site::Site, spec::Spec};

/// The sites of a function that there are many of: one for each choice of its type parameters, or of those of the type whose
/// method it is. A static inside of it would be one for all.
pub struct Sites {
    first: Place,
}

type Place = OnceLock<Box<Instance>>;

/// One of them; the next follows it. There are few as a rule, and they are never given up.
struct Instance {
    of: TypeId,
    site: Site,
    next: Place,
}

impl Sites {
    /// None was called yet.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self { first: OnceLock::new() }
    }

    /// The site of one instance, which is known by the type of the function that asks.
    #[inline]
    pub fn of<F: 'static>(&'static self, _: &F, spec: fn() -> Spec) -> &'static Site {
        let of = TypeId::of::<F>();
        let mut place = &self.first;
        loop {
            let instance = place.get_or_init(|| {
                let spec = spec().settle(type_name::<F>(), std::ptr::from_ref(self).addr());
                Box::new(Instance { of, site: Site::new(spec), next: OnceLock::new() })
            });
            if instance.of == of {
                return &instance.site;
            }
            place = &instance.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site<T: 'static>() -> &'static Site {
        static SITES: Sites = Sites::new();
        SITES.of(&site::<T>, Spec::new)
    }

    #[test]
    fn each_instance_has_one_site() {
        for _ in 0..2 {
            let (one, two, three) = (site::<u8>(), site::<u16>(), site::<u32>());
            assert!(std::ptr::eq(one, site::<u8>()) && std::ptr::eq(three, site::<u32>()));
            assert!(!std::ptr::eq(one, two) && !std::ptr::eq(two, three));
        }
    }
}
