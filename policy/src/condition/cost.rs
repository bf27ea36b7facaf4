//! How much work an expression is at most, from its text alone: the interpreter has no budget of its own. The lists have
//! the lengths that requests and people are held to; every turn of a loop counts what is in it. The estimate is on the
//! high side, and says nothing about how long one step takes.

use cel::common::ast::{EntryExpr, Expr, IdedExpr};

/// The most steps.
const MOST: u64 = 1_000_000;
/// How many groups a person has at most, in this estimate.
const GROUPS: u64 = 512;
/// How many namespaces a request names at most, and labels a pod has in this estimate.
const NAMES: u64 = 64;
/// How many pods, workloads, containers and ports.
const NARROWED: u64 = 32;

/// What somebody's own names stand for: how many values they hold at most.
type Bound<'a> = Vec<(&'a str, u64)>;

/// Refuses what may take too long.
pub(super) fn check(expr: &IdedExpr) -> Result<(), String> {
    if work(expr, &mut Vec::new()) > MOST {
        return Err(
            "may go through too many values; loops over long lists cannot stand in each other".to_owned()
        );
    }
    Ok(())
}

/// How many steps it takes at most.
fn work<'a>(expr: &'a IdedExpr, bound: &mut Bound<'a>) -> u64 {
    let inner = match &expr.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => 0,
        Expr::Select(select) => work(&select.operand, bound),
        // `==`, `in` and `+` go through what they are given.
        Expr::Call(call) => {
            call.target.iter().map(|target| &**target).chain(&call.args).fold(0, |sum: u64, one| {
                sum.saturating_add(work(one, bound)).saturating_add(size(one, bound))
            })
        }
        Expr::List(list) => sum(&list.elements, bound, work),
        Expr::Map(map) => map.entries.iter().fold(0, |sum: u64, entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                sum.saturating_add(work(&entry.key, bound)).saturating_add(work(&entry.value, bound))
            }
            EntryExpr::StructField(field) => sum.saturating_add(work(&field.value, bound)),
        }),
        Expr::Struct(_) => MOST,
        Expr::Comprehension(each) => {
            let turns = size(&each.iter_range, bound);
            let outside = bound.len();
            let item = turns_over(&each.iter_range, bound);
            let before = work(&each.iter_range, bound).saturating_add(work(&each.accu_init, bound));
            bound.push((&each.iter_var, item));
            bound.extend(each.iter_var2.as_deref().map(|name| (name, item)));
            bound.push((&each.accu_var, 1));
            let turn = work(&each.loop_cond, bound).saturating_add(work(&each.loop_step, bound));
            let after = work(&each.result, bound);
            bound.truncate(outside);
            turns.saturating_mul(turn).saturating_add(before).saturating_add(after)
        }
    };
    inner.saturating_add(1)
}

/// How many values it holds at most, at any depth; at least one.
fn size<'a>(expr: &'a IdedExpr, bound: &mut Bound<'a>) -> u64 {
    let size = match &expr.expr {
        Expr::Unspecified | Expr::Literal(_) => 1,
        Expr::Ident(name) => match bound.iter().rev().find(|(own, _)| own == name) {
            Some((_, size)) => *size,
            None if matches!(name.as_str(), "groups" | "person" | "request") => GROUPS,
            None if name == "target" => NAMES,
            None => 1,
        },
        Expr::Select(select) => match (&select.operand.expr, select.field.as_str()) {
            (Expr::Ident(name), field) if !bound.iter().any(|(own, _)| own == name) => {
                match (name.as_str(), field) {
                    ("person", "groups") => GROUPS,
                    ("request", "namespaces") | ("target", "labels") => NAMES,
                    ("request", "pods" | "workloads" | "containers" | "ports") => NARROWED,
                    _ => 1,
                }
            }
            _ => size(&select.operand, bound),
        },
        Expr::Call(call) => call
            .target
            .iter()
            .map(|target| &**target)
            .chain(&call.args)
            .fold(0, |sum: u64, one| sum.saturating_add(size(one, bound))),
        Expr::List(list) => sum(&list.elements, bound, size),
        Expr::Map(map) => map.entries.iter().fold(0, |sum: u64, entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                sum.saturating_add(size(&entry.key, bound)).saturating_add(size(&entry.value, bound))
            }
            EntryExpr::StructField(field) => sum.saturating_add(size(&field.value, bound)),
        }),
        Expr::Struct(_) => MOST,
        Expr::Comprehension(each) => {
            let turns = size(&each.iter_range, bound);
            let item = turns_over(&each.iter_range, bound);
            let outside = bound.len();
            bound.push((&each.iter_var, item));
            bound.extend(each.iter_var2.as_deref().map(|name| (name, item)));
            bound.push((&each.accu_var, 1));
            let turn = size(&each.loop_step, bound);
            bound.truncate(outside);
            turns.saturating_mul(turn)
        }
    };
    size.max(1)
}

/// What one item of a list holds: the variables' lists are flat, a list of one's own may hold lists.
fn turns_over<'a>(range: &'a IdedExpr, bound: &mut Bound<'a>) -> u64 {
    match &range.expr {
        Expr::Ident(name) if name == "groups" && !bound.iter().any(|(own, _)| own == name) => 1,
        Expr::Select(select) if matches!(&select.operand.expr, Expr::Ident(name) if !bound.iter().any(|(own, _)| own == name)) => {
            1
        }
        _ => size(range, bound),
    }
}

fn sum<'a>(items: &'a [IdedExpr], bound: &mut Bound<'a>, of: fn(&'a IdedExpr, &mut Bound<'a>) -> u64) -> u64 {
    items.iter().fold(0, |sum: u64, item| sum.saturating_add(of(item, bound)))
}

#[cfg(test)]
mod tests {
    use crate::Condition;

    #[test]
    fn what_policies_say_is_little_work() {
        for source in [
            "groups.exists(g, g.startsWith('sre-'))",
            "request.namespaces.all(n, n in ['payments', 'staging'])",
            "request.namespaces.all(n, groups.exists(g, g == 'team-' + n))",
            "target.labels.all(k, k != 'tier' || target.labels[k] == 'web')",
            "request.pods.exists(p, request.containers.exists(c, p.startsWith(c)))",
        ] {
            assert!(Condition::parse(source).is_ok(), "{source}: {:?}", Condition::parse(source));
        }
    }

    #[test]
    fn what_could_keep_a_decision_busy_is_refused() {
        let many = format!("(groups{})", " + groups".repeat(20));
        for source in [
            "groups.exists(a, groups.exists(b, a + b == 'x'))".to_owned(),
            format!("{many}.exists(a, request.pods.exists(b, a == b))"),
            "groups.map(a, groups).exists(b, size(b) > 1)".to_owned(),
            "groups.exists(a, groups.map(b, a + b).exists(c, c == 'x'))".to_owned(),
            "[groups, groups].exists(a, a.exists(b, b in groups))".to_owned(),
        ] {
            let said = Condition::parse(&source).map(|_| ()).unwrap_err();
            assert!(said.contains("too many values"), "{source}: {said}");
        }
    }
}
