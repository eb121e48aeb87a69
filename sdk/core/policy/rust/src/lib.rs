// SPDX-License-Identifier: Apache-2.0
//! C ABI over `regorus` (Rego), `brush-parser` (shell grammar) and `jsonschema`: sdk/core/policy/rust/aispm_policy_rust.h says what each call means.
//! Every call may be made from any thread. A panic is caught and becomes an error.

pub mod machine;
pub mod rego;
pub mod schema;
pub mod shell;
mod single;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Duration;

#[repr(C)]
pub struct Bytes {
    data: *mut u8,
    size: usize,
}

fn give(text: String) -> Bytes {
    let boxed = text.into_bytes().into_boxed_slice();
    let size = boxed.len();
    Bytes { data: Box::into_raw(boxed).cast(), size }
}

unsafe fn text_of<'a>(data: *const u8, size: usize) -> Result<&'a str, String> {
    if size == 0 {
        return Ok("");
    }
    // SAFETY: the caller vouches for `size` readable bytes.
    std::str::from_utf8(unsafe { std::slice::from_raw_parts(data, size) }).map_err(|_| "not UTF-8".into())
}

fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err("the library panicked".into()))
}

/// Writes the text or the error; 0 or 1.
fn answer(result: Result<String, String>, out: *mut Bytes) -> i32 {
    let code = i32::from(result.is_err());
    let text = result.unwrap_or_else(|error| error);
    // SAFETY: `out` is the caller's.
    unsafe { out.write(give(text)) };
    code
}

/// # Safety
/// `bytes` came from this library and is freed once.
#[no_mangle]
pub unsafe extern "C" fn aispm_bytes_free(bytes: Bytes) {
    if !bytes.data.is_null() {
        // SAFETY: made by `give`.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(bytes.data, bytes.size)) });
    }
}

/// # Safety
/// `text` has `size` readable bytes; `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn aispm_shell_parse(text: *const u8, size: usize, out: *mut Bytes) -> i32 {
    let result = guarded(|| {
        // SAFETY: as the caller vouches.
        let text = unsafe { text_of(text, size)? };
        Ok(shell::parse(text).to_string())
    });
    answer(result, out)
}

/// # Safety
/// Pointers have their sizes in readable bytes; `engine` and `error` are writable.
#[no_mangle]
pub unsafe extern "C" fn aispm_rego_compile(
    modules: *const u8,
    modules_size: usize,
    data: *const u8,
    data_size: usize,
    limit_us: u64,
    engine: *mut *mut rego::Rego,
    error: *mut Bytes,
) -> i32 {
    let result = guarded(|| {
        // SAFETY: as the caller vouches.
        let (modules, data) = unsafe { (text_of(modules, modules_size)?, text_of(data, data_size)?) };
        rego::Rego::compile(modules, data, Duration::from_micros(limit_us))
    });
    match result {
        Ok(made) => {
            // SAFETY: `engine` is the caller's.
            unsafe { engine.write(Box::into_raw(Box::new(made))) };
            0
        }
        Err(why) => answer(Err(why), error),
    }
}

/// # Safety
/// `engine` came from aispm_rego_compile; the other pointers as above.
#[no_mangle]
pub unsafe extern "C" fn aispm_rego_evaluate(
    engine: *const rego::Rego,
    rule: *const u8,
    rule_size: usize,
    input: *const u8,
    input_size: usize,
    out: *mut Bytes,
) -> i32 {
    let result = guarded(|| {
        // SAFETY: as the caller vouches.
        let (engine, rule, input) = unsafe { (&*engine, text_of(rule, rule_size)?, text_of(input, input_size)?) };
        engine.evaluate(rule, input)
    });
    answer(result, out)
}

/// # Safety
/// `engine` came from aispm_rego_compile; `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn aispm_rego_packages(engine: *const rego::Rego, out: *mut Bytes) -> i32 {
    // SAFETY: as the caller vouches.
    answer(guarded(|| unsafe { &*engine }.packages()), out)
}

/// # Safety
/// `engine` came from aispm_rego_compile; `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn aispm_rego_interpreted(engine: *const rego::Rego, out: *mut Bytes) -> i32 {
    // SAFETY: as the caller vouches.
    answer(guarded(|| Ok(unsafe { &*engine }.interpreted())), out)
}

/// # Safety
/// `engine` came from aispm_rego_compile and is freed once.
#[no_mangle]
pub unsafe extern "C" fn aispm_rego_free(engine: *mut rego::Rego) {
    if !engine.is_null() {
        // SAFETY: made by aispm_rego_compile.
        drop(unsafe { Box::from_raw(engine) });
    }
}

/// Bytes that all evaluations of this process may hold together; 0 for no limit.
#[no_mangle]
pub extern "C" fn aispm_rego_limit_memory(bytes: u64) {
    regorus::set_global_memory_limit((bytes > 0).then_some(bytes));
}

/// # Safety
/// `text` has `size` readable bytes; `schema` and `error` are writable.
#[no_mangle]
pub unsafe extern "C" fn aispm_schema_compile(text: *const u8, size: usize, schema: *mut *mut schema::Schema, error: *mut Bytes) -> i32 {
    let result = guarded(|| {
        // SAFETY: as the caller vouches.
        schema::Schema::compile(unsafe { text_of(text, size)? })
    });
    match result {
        Ok(made) => {
            // SAFETY: `schema` is the caller's.
            unsafe { schema.write(Box::into_raw(Box::new(made))) };
            0
        }
        Err(why) => answer(Err(why), error),
    }
}

/// # Safety
/// `schema` is alive; `text` has `size` readable bytes; `error` is writable.
#[no_mangle]
pub unsafe extern "C" fn aispm_schema_check(schema: *const schema::Schema, text: *const u8, size: usize, error: *mut Bytes) -> i32 {
    let result = guarded(|| {
        // SAFETY: as the caller vouches.
        unsafe { (*schema).check(text_of(text, size)?) }
    });
    match result {
        Ok(()) => 0,
        Err(why) => answer(Err(why), error),
    }
}

/// # Safety
/// `schema` came from aispm_schema_compile and is freed once.
#[no_mangle]
pub unsafe extern "C" fn aispm_schema_free(schema: *mut schema::Schema) {
    if !schema.is_null() {
        // SAFETY: made by aispm_schema_compile.
        drop(unsafe { Box::from_raw(schema) });
    }
}
