//! The companion that calls the function for many arguments.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{GenericParam, Generics, Ident, Type, TypeImplTrait, parse_quote, visit_mut::VisitMut};

use crate::{
    argument::{Argument, Passing},
    expand::private,
    model::Model,
};

/// Takes what the arguments can be made of, since each call runs in a task of its own.
pub(crate) fn warm(model: &Model) -> TokenStream {
    let it = model.companion("warm");
    let (ask, site) = (model.path("__ask"), model.path("__site"));
    let Model { krate, visibility, generics, .. } = model;
    let where_clause = &generics.where_clause;
    let here = private(model, Span::call_site());
    let names: Vec<_> = model.arguments.iter().map(Argument::local).collect();
    let mut named = Named { generics: generics.clone() };
    let types: Vec<_> = model.arguments.iter().map(|argument| named.item(argument)).collect();
    let lenders = model.arguments.iter().zip(&types).map(|(Argument { passing, .. }, ty)| match passing {
        Passing::Owned(_) => quote!(#ty),
        Passing::Borrowed(_) => {
            quote!(impl ::core::borrow::Borrow<#ty> + ::core::marker::Send + ::core::marker::Sync + 'static)
        }
    });
    let (item, pattern) = match names.as_slice() {
        [one] => (quote!(#(#lenders)*), quote!(#one)),
        names => (quote!((#(#lenders),*)), quote!((#(#names),*))),
    };
    let passed = model.arguments.iter().zip(&types).zip(&names).map(|((argument, ty), name)| match argument.passing {
        Passing::Owned(_) => quote!(#name),
        Passing::Borrowed(_) => quote!(::core::borrow::Borrow::<#ty>::borrow(&#name)),
    });
    let items = Ident::new("items", Span::mixed_site());
    let named = &named.generics;
    quote! {
        /// Calls the function for each of these arguments, some at a time: what is not cached is then.
        ///
        /// Several arguments are given as a tuple; what the function borrows is given as anything that lends it. Calls
        /// that fail are counted in the report.
        ///
        /// # Errors
        /// It took longer than a minute.
        #[allow(unused_lifetimes, single_use_lifetimes, reason = "those of the function")]
        #visibility fn #it #named(
            #items: impl ::core::iter::IntoIterator<Item = #item>
        ) -> impl ::core::future::Future<Output = #krate::Result<#krate::warm::Report>> #where_clause {
            #here::warm(#site(), #items, |#pattern| {
                #here::boxed(async move { #ask(#(#passed,)* #here::Ask::Warm).await.warmed() })
            })
        }
    }
}

/// The function's parameters, and one for each `impl Trait` of what it borrows: the lender has to name it.
struct Named {
    generics: Generics,
}

impl Named {
    fn item(&mut self, argument: &Argument) -> Type {
        let mut ty = argument.ty().clone();
        if let Passing::Borrowed(_) = argument.passing {
            self.visit_type_mut(&mut ty);
        }
        ty
    }
}

impl VisitMut for Named {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::ImplTrait(TypeImplTrait { bounds, .. }) = ty {
            let name = format_ident!("__Lent{}", self.generics.params.len(), span = Span::mixed_site());
            let parameter: GenericParam = parse_quote!(#name: #bounds);
            self.generics.params.push(parameter);
            *ty = parse_quote!(#name);
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }
}
