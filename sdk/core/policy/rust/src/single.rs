// SPDX-License-Identifier: Apache-2.0
//! Whether a rule could give two values at once. OPA and the interpreter call that an error; the register machine takes
//! one of them, or none, and says nothing. So it gets only rules of which the text shows that they cannot.

use regorus::unstable::{Expr, Literal, Query, Ref, Rule, RuleAssign, RuleHead};

/// What stands against running these rules, all of one path, on the machine.
pub fn obstacle(rules: &[Ref<Rule>]) -> Option<&'static str> {
    let mut definitions = Vec::new();
    let mut is_set = false;
    for rule in rules {
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else {
            continue;
        };
        let value = match head {
            RuleHead::Set { key, .. } => {
                is_set = true;
                if key.as_ref().is_some_and(|key| expr_makes_object(key)) {
                    return Some("makes objects by comprehension");
                }
                &None
            }
            RuleHead::Compr { refr, assign, .. } => {
                if matches!(refr.as_ref(), Expr::RefBrack { .. }) {
                    return Some("is an object made of several rules");
                }
                assign
            }
            RuleHead::Func { assign, .. } => assign,
        };
        if bodies.is_empty() {
            definitions.push((value, None));
        }
        for body in bodies {
            definitions.push((if body.is_else || body.assign.is_some() { &body.assign } else { value }, Some(body)));
        }
    }
    if definitions.iter().any(|(value, body)| {
        value.as_ref().is_some_and(|one| expr_makes_object(&one.value)) || body.is_some_and(|one| query_makes_object(&one.query))
    }) {
        return Some("makes objects by comprehension");
    }
    if is_set {
        return None;
    }
    let varies = |value: &Option<RuleAssign>, query: Option<&Query>| {
        value.as_ref().is_some_and(|one| !is_literal(&one.value) && (iterates(&one.value) || query.is_some_and(query_iterates)))
    };
    if definitions.iter().any(|(value, body)| varies(value, body.map(|one| one.query.as_ref()))) {
        return Some("could give a value for each of several things");
    }
    // Of one definition its parts exclude each other by `else`.
    let alternatives = definitions.iter().filter(|(_, body)| body.is_none_or(|one| !one.is_else)).count();
    let text = |value: &Option<RuleAssign>| value.as_ref().map_or("true".to_string(), |one| one.value.span().text().to_string());
    let is_same = definitions.iter().all(|(value, _)| {
        value.as_ref().is_none_or(|one| is_literal(&one.value)) && text(value) == text(definitions[0].0)
    });
    (alternatives > 1 && !is_same).then_some("could give the values of two definitions; `else` excludes that")
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. } => true,
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().all(|one| is_literal(one)),
        Expr::Object { fields, .. } => fields.iter().all(|(_, key, value)| is_literal(key) && is_literal(value)),
        _ => false,
    }
}

/// Of a comprehension nothing: what it goes through is its own affair.
fn parts(expr: &Expr) -> Vec<&Ref<Expr>> {
    match expr {
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().collect(),
        Expr::Object { fields, .. } => fields.iter().flat_map(|(_, key, value)| [key, value]).collect(),
        Expr::Call { params, .. } => params.iter().collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::RefDot { refr, .. } => vec![refr],
        Expr::RefBrack { refr, index, .. } => vec![refr, index],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership { key, value, collection, .. } => key.iter().chain([value, collection]).collect(),
        _ => Vec::new(),
    }
}

/// Whether it could hold in several ways: an index that is not said by the input.
fn iterates(expr: &Expr) -> bool {
    match expr {
        Expr::RefBrack { refr, index, .. } => mentions_variable(index) || iterates(index) || iterates(refr),
        _ => parts(expr).into_iter().any(|one| iterates(one)),
    }
}

fn mentions_variable(expr: &Expr) -> bool {
    match expr {
        Expr::Var { span, .. } => !matches!(span.text(), "input" | "data"),
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => true,
        _ => parts(expr).into_iter().any(|one| mentions_variable(one)),
    }
}

fn query_iterates(query: &Query) -> bool {
    query.stmts.iter().any(|statement| match &statement.literal {
        Literal::SomeVars { .. } | Literal::SomeIn { .. } => true,
        Literal::Expr { expr, .. } => iterates(expr),
        Literal::Every { domain, .. } => iterates(domain),
        Literal::NotExpr { .. } => false,
    })
}

/// An object of which a key could come twice, anywhere within.
fn expr_makes_object(expr: &Expr) -> bool {
    match expr {
        Expr::ObjectCompr { .. } => true,
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => expr_makes_object(term) || query_makes_object(query),
        _ => parts(expr).into_iter().any(|one| expr_makes_object(one)),
    }
}

fn query_makes_object(query: &Query) -> bool {
    query.stmts.iter().any(|statement| match &statement.literal {
        Literal::SomeVars { .. } => false,
        Literal::SomeIn { key, value, collection, .. } => key.iter().chain([value, collection]).any(|one| expr_makes_object(one)),
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => expr_makes_object(expr),
        Literal::Every { domain, query, .. } => expr_makes_object(domain) || query_makes_object(query),
    })
}
