// SPDX-License-Identifier: Apache-2.0
//! What a shell computes, and the variables that it sets by the way: an index in either is expanded.

use brush_parser::ast;
use serde_json::json;

use super::{Walk, Word};

/// Arithmetic evaluates the values of variables again, and an index in one may hold a command.
fn computes_only_numbers(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || " \t\n+-*/%<>=!&|^~?:(),".contains(c))
}

impl Walk<'_> {
    /// A variable that gets a value without an assignment word.
    pub(super) fn set(&mut self, name: &str, value: &Word) -> Result<(), String> {
        if !is_name(name) {
            return Err(format!("a variable with the name `{name}` may run commands"));
        }
        let assign = json!({"name": name, "text": value.text, "fixed": value.fixed});
        self.add(Vec::new(), vec![assign], Vec::new(), false)
    }

    pub(super) fn arithmetic(&mut self, text: &str) -> Result<(), String> {
        if computes_only_numbers(text) {
            return Ok(());
        }
        Err("arithmetic with variables may run commands".into())
    }

    pub(super) fn test(&mut self, test: &ast::ExtendedTestExpr) -> Result<(), String> {
        use ast::ExtendedTestExpr as E;
        match test {
            // Other shells know no `[[`, and run what stands behind `&&`.
            E::And(..) | E::Or(..) => Err("`&&` or `||` within [[ ]] runs commands in some shells: write [[ a ]] && [[ b ]]".into()),
            E::Not(inner) | E::Parenthesized(inner) => self.test(inner),
            E::UnaryTest(predicate, word) => {
                let word = self.word(word)?;
                if matches!(predicate, ast::UnaryPredicate::ShellVariableIsSetAndAssigned | ast::UnaryPredicate::ShellVariableIsSetAndNameRef)
                    && !(word.fixed && is_name(&word.text))
                {
                    return Err("a test of a variable whose name is not plain may run commands".into());
                }
                Ok(())
            }
            E::BinaryTest(predicate, left, right) => {
                use ast::BinaryPredicate as B;
                let numbers = matches!(
                    predicate,
                    B::ArithmeticEqualTo | B::ArithmeticNotEqualTo | B::ArithmeticLessThan | B::ArithmeticLessThanOrEqualTo
                        | B::ArithmeticGreaterThan | B::ArithmeticGreaterThanOrEqualTo
                );
                for side in [left, right] {
                    let word = self.word(side)?;
                    if numbers && !(word.fixed && computes_only_numbers(&word.text)) {
                        return Err("arithmetic with variables may run commands".into());
                    }
                }
                Ok(())
            }
        }
    }
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
