//! The contract's functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stoa_access_v1::*;
use stoa_kit::{Ctx, Reason as _, Result, Tx, View};

use crate::answer::{self, Change};
use crate::giving::Writer;
use crate::kept::Kept;
use crate::model::type_of;
use crate::rules::Changed;
use crate::{compare, fga, language, model, rules, store};

/// Keeps the promises of `stoa.access.v1`.
#[derive(Default)]
pub(crate) struct Api {
    models: Kept,
}

impl Api {
    /// The model to decide by: one that is named, or the newest.
    fn model(&self, view: &View, id: &str) -> Result<Arc<model::Model>> {
        store::model(view, &self.models, id)
    }

    fn write(
        &self, tx: &mut Tx, request: WriteRelationsRequest, for_client: bool,
    ) -> Result<WriteRelationsResponse> {
        let model = self.model(tx, &request.model_id)?;
        if let Some(writer) = Writer::held(tx, &model, for_client) {
            request.deletes.iter().try_for_each(|it| writer.may_delete(it))?;
            request.writes.iter().try_for_each(|it| writer.may_write(it))?;
        }
        write_relations(tx, &model, request)
    }
}

impl AccessService for Api {
    fn write_model(&self, tx: &mut Tx, request: WriteModelRequest) -> Result<WriteModelResponse> {
        language::read(&request.definition).map_err(|wrong| Reason::ModelInvalid.because(wrong))?;
        let number = store::newest(tx)?.map_or(1, |newest| newest.number + 1);
        let (id, definition) = (tx.new_id("mdl"), request.definition);
        let model = tx.add(Model { id, definition, number, ..Model::default() })?;
        tx.emit(&ModelWritten { model_id: model.id.clone() });
        Ok(WriteModelResponse { model: model.into() })
    }

    fn list_models(&self, view: &View, request: ListModelsRequest) -> Result<ListModelsResponse> {
        let (models, next_page_token) = view.list::<Model>("number DESC").page(&request)?;
        Ok(ListModelsResponse { models, next_page_token })
    }

    fn get_model(&self, view: &View, request: GetModelRequest) -> Result<GetModelResponse> {
        Ok(GetModelResponse { model: view.load::<Model>(&request.id)?.into() })
    }

    fn batch_get_models(
        &self, view: &View, request: BatchGetModelsRequest,
    ) -> Result<BatchGetModelsResponse> {
        Ok(BatchGetModelsResponse { models: view.load_many(&request.ids)? })
    }

    fn write_relations(
        &self, tx: &mut Tx, request: WriteRelationsRequest,
    ) -> Result<WriteRelationsResponse> {
        self.write(tx, request, false)
    }

    fn write_for_client(
        &self, tx: &mut Tx, request: WriteForClientRequest,
    ) -> Result<WriteForClientResponse> {
        self.write(tx, request.write.into_option().unwrap_or_default(), true)?;
        Ok(WriteForClientResponse {})
    }

    fn write_rules(&self, tx: &mut Tx, request: WriteRulesRequest) -> Result<WriteRulesResponse> {
        let model = self.model(tx, "")?;
        write_rules(tx, &model, request)
    }

    fn list_rules(&self, view: &View, request: ListRulesRequest) -> Result<ListRulesResponse> {
        let list = view.list::<AccessRule>("name").only("object_type", &request.r#type);
        let (rules, next_page_token) = list.page(&request)?;
        Ok(ListRulesResponse { rules, next_page_token })
    }

    fn get_rule(&self, view: &View, request: GetRuleRequest) -> Result<GetRuleResponse> {
        Ok(GetRuleResponse { rule: view.load::<AccessRule>(&request.name)?.into() })
    }

    fn batch_get_rules(
        &self, view: &View, request: BatchGetRulesRequest,
    ) -> Result<BatchGetRulesResponse> {
        Ok(BatchGetRulesResponse { rules: view.load_many(&request.ids)? })
    }

    fn list_relations(
        &self, view: &View, request: ListRelationsRequest,
    ) -> Result<ListRelationsResponse> {
        // Those of an object or a user are next to each other by their relation.
        let order = match (&*request.object, &*request.user) {
            ("", "") => "object, relation, subject",
            _ => "relation, object, subject",
        };
        let list = view
            .list_all::<Relation>(order)
            .only("object", &request.object)
            .only("subject", &request.user)
            .only("relation", &request.relation);
        let (relations, next_page_token) = list.page(&request)?;
        Ok(ListRelationsResponse { relations, next_page_token })
    }

    fn check(&self, view: &View, request: CheckRequest) -> Result<CheckResponse> {
        let model = self.model(view, &request.model_id)?;
        let allowed = answer::check(view, &model, &request, Change::default())?;
        Ok(CheckResponse { allowed })
    }

    fn batch_check(&self, view: &View, request: BatchCheckRequest) -> Result<BatchCheckResponse> {
        Ok(BatchCheckResponse { decisions: decisions(self, view, &request.checks)? })
    }

    fn compare(&self, view: &View, request: CompareRequest) -> Result<CompareResponse> {
        let after = match &*request.definition {
            "" => self.model(view, "")?,
            text => {
                let read = language::read(text);
                Arc::new(read.map_err(|wrong| Reason::ModelInvalid.because(wrong))?)
            }
        };
        for it in &request.writes {
            after.admits(&it.object, &it.relation, &it.user)?;
        }
        for rule in &request.rule_writes {
            rules::check(&after, rule)?;
        }
        let change = Change {
            writes: &request.writes,
            deletes: &request.deletes,
            rules: Changed { writes: &request.rule_writes, deletes: &request.rule_deletes },
        };
        let mut flips = Vec::new();
        let before = decisions(self, view, &request.checks)?;
        for (check, before) in request.checks.iter().zip(before) {
            let then = answer::decision(answer::check(view, &after, check, change));
            flips.extend((before != then).then(|| compare::flip(check.clone(), before, then)));
        }
        if let Some(list) = request.objects.as_option() {
            let now = self.model(view, &list.model_id)?;
            let before = answer::objects(view, &now, list, Change::default())?;
            flips.extend(compare::objects(
                list,
                &before,
                &answer::objects(view, &after, list, change)?,
            ));
        }
        if let Some(list) = request.users.as_option() {
            let now = self.model(view, &list.model_id)?;
            let before = answer::users(view, &now, list, Change::default())?;
            flips.extend(compare::users(
                list,
                &before,
                &answer::users(view, &after, list, change)?,
            ));
        }
        let cut = flips.len() > compare::FLIPS_MAX;
        flips.truncate(compare::FLIPS_MAX);
        Ok(CompareResponse { flips, cut })
    }

    fn explain(&self, view: &View, request: ExplainRequest) -> Result<ExplainResponse> {
        let check = request.check.into_option().unwrap_or_default();
        let model = self.model(view, &check.model_id)?;
        answer::explain(view, &model, &check)
    }

    fn list_objects(
        &self, view: &View, request: ListObjectsRequest,
    ) -> Result<ListObjectsResponse> {
        let model = self.model(view, &request.model_id)?;
        let objects = answer::objects(view, &model, &request, Change::default())?;
        let (objects, next_page_token) = page(view, &request, objects)?;
        Ok(ListObjectsResponse { objects, next_page_token })
    }

    async fn serve_fga(&self, ctx: &Ctx, request: ServeFgaRequest) -> Result<ServeFgaResponse> {
        fga::serve(ctx.clone(), request).await
    }

    fn list_users(&self, view: &View, request: ListUsersRequest) -> Result<ListUsersResponse> {
        let model = self.model(view, &request.model_id)?;
        let users = answer::users(view, &model, &request, Change::default())?;
        let (users, next_page_token) = page(view, &request, users)?;
        Ok(ListUsersResponse { users, next_page_token })
    }
}

fn write_relations(
    tx: &mut Tx, model: &model::Model, request: WriteRelationsRequest,
) -> Result<WriteRelationsResponse> {
    let mut changes = BTreeMap::<String, RelationsChanged>::new();
    let mut reply = WriteRelationsResponse::default();
    for relation in request.deletes {
        if store::delete(tx, &relation)? {
            reply.deleted += 1;
            changes.entry(relation.object.clone()).or_default().deleted.push(relation);
        } else if request.only_there {
            return Err(Reason::RelationMissing.because(format!("{} is not there", of(&relation))));
        }
    }
    for relation in request.writes {
        model.admits(&relation.object, &relation.relation, &relation.user)?;
        if store::write(tx, &relation)? {
            reply.written += 1;
            changes.entry(relation.object.clone()).or_default().written.push(relation);
        } else if request.only_new {
            return Err(Reason::RelationExists.because(format!("{} is there", of(&relation))));
        }
    }
    for (object, change) in changes {
        tx.emit(&RelationsChanged { object, ..change });
    }
    Ok(reply)
}

fn write_rules(
    tx: &mut Tx, model: &model::Model, request: WriteRulesRequest,
) -> Result<WriteRulesResponse> {
    let writer = Writer::held(tx, model, false);
    let mut before = BTreeMap::new();
    for name in request.deletes.iter().chain(request.writes.iter().map(|rule| &rule.name)) {
        before.extend(tx.get::<AccessRule>(name)?.map(|rule| (name.clone(), rule)));
    }
    for rule in &request.writes {
        rules::check(model, rule)?;
    }
    if let Some(writer) = writer {
        // Whatever was denied by those that go, or allowed by those that come.
        let denied = before.values().filter(|rule| rule.effect == Effect::Deny);
        let allowed = request.writes.iter().filter(|rule| rule.effect == Effect::Allow);
        denied.chain(allowed).try_for_each(|rule| writer.may_rule(rule))?;
    }
    let (mut changes, mut reply) = (BTreeMap::new(), WriteRulesResponse::default());
    for name in request.deletes {
        let Some(rule) = before.remove(&name) else { continue };
        tx.delete::<AccessRule>(&name)?;
        tx.touch("access.rule", &name);
        reply.deleted += 1;
        change(&mut changes, &rule).deleted.push(name);
    }
    for rule in request.writes {
        let rule = store::put_rule(tx, rule)?;
        change(&mut changes, &rule).written.push(rule.name.clone());
        reply.rules.push(rule);
    }
    for (_, changed) in changes {
        tx.emit(&changed);
    }
    Ok(reply)
}

/// What is told of the rules about a type.
fn change<'a>(
    changes: &'a mut BTreeMap<String, RulesChanged>, rule: &AccessRule,
) -> &'a mut RulesChanged {
    let of = type_of(&rule.object).to_owned();
    let begun = RulesChanged { r#type: of.clone(), ..RulesChanged::default() };
    changes.entry(of).or_insert(begun)
}

/// Answers questions, each by its model.
fn decisions(api: &Api, view: &View, checks: &[CheckRequest]) -> Result<Vec<Decision>> {
    let mut model = (String::new(), api.model(view, "")?);
    let mut decisions = Vec::new();
    for check in checks {
        if model.0 != check.model_id {
            model = (check.model_id.clone(), api.model(view, &check.model_id)?);
        }
        let answer = answer::check(view, &model.1, check, Change::default());
        decisions.push(answer::decision(answer));
    }
    Ok(decisions)
}

/// A relation as people write it.
fn of(relation: &Relation) -> String {
    format!("{}#{}@{}", relation.object, relation.relation, relation.user)
}

/// A page of names.
fn page<R: stoa_kit::contract::Paged>(
    view: &View, request: &R, names: BTreeSet<String>,
) -> Result<(Vec<String>, String)> {
    let page = view.page(request, 1)?;
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let rest = names.into_iter().filter(|name| name.as_str() > page.after());
    let row = |object| Relation { object, ..Relation::default() };
    let mut rows: Vec<Relation> = rest.take(limit).map(row).collect();
    let next = page.cut(&mut rows, |row| vec![row.object.clone()])?;
    Ok((rows.into_iter().map(|row| row.object).collect(), next))
}
