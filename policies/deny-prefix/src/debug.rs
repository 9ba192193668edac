//! `debug!` prints for whoever runs `openmcp-dns policy run --debug`, in what `openmcp-dns policy build --debug`
//! builds. Elsewhere nothing is left of it: a module that decides imports nothing.

/// Prints as `println!` does.
macro_rules! debug {
    ($($format:tt)+) => {
        if cfg!(debug_assertions) {
            crate::debug::print(&alloc::format!($($format)+));
        }
    };
}
pub(crate) use debug;

#[cfg(all(target_arch = "wasm32", debug_assertions))]
pub(crate) fn print(text: &str) {
    #[allow(unsafe_code, reason = "the host's function, as WIT has it: print: func(text: string)")]
    #[link(wasm_import_module = "openmcp:dns-policy-debug/output@0.1.0")]
    unsafe extern "C" {
        #[link_name = "print"]
        fn print_text(start: *const u8, bytes: usize);
    }
    #[allow(unsafe_code, reason = "the host reads these bytes, and is done with them when it returns")]
    unsafe {
        print_text(text.as_ptr(), text.len());
    }
}

#[cfg(not(all(target_arch = "wasm32", debug_assertions)))]
pub(crate) fn print(_: &str) {}
