//! The contract's functions.

use std::collections::{BTreeMap, BTreeSet};

use stoa_access_v1::*;
use stoa_kit::{Ctx, Reason as _, Result, Tx, View};

use crate::judge::Judge;
use crate::model::{self, User, malformed, type_of};
use crate::store::{self, Relations};
use crate::{fga, language, reach};

/// Keeps the promises of `stoa.access.v1`.
pub(crate) struct Api;

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
        let model = store::model(tx, &request.model_id)?;
        let mut changes = BTreeMap::<String, RelationsChanged>::new();
        let mut reply = WriteRelationsResponse::default();
        for relation in request.deletes {
            if store::delete(tx, &relation)? {
                reply.deleted += 1;
                changes.entry(relation.object.clone()).or_default().deleted.push(relation);
            } else if request.only_there {
                return Err(
                    Reason::RelationMissing.because(format!("{} is not there", of(&relation)))
                );
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
        let model = store::model(view, &request.model_id)?;
        Ok(CheckResponse { allowed: decide(view, &model, &request, &[], &[])? })
    }

    fn batch_check(&self, view: &View, request: BatchCheckRequest) -> Result<BatchCheckResponse> {
        Ok(BatchCheckResponse { decisions: decisions(view, &request.checks)? })
    }

    fn compare(&self, view: &View, request: CompareRequest) -> Result<CompareResponse> {
        let CompareRequest { definition, writes, deletes, checks } = request;
        let model = match &*definition {
            "" => store::model(view, "")?,
            text => language::read(text).map_err(|wrong| Reason::ModelInvalid.because(wrong))?,
        };
        for it in &writes {
            model.admits(&it.object, &it.relation, &it.user)?;
        }
        let mut flips = Vec::new();
        let before = decisions(view, &checks)?;
        for (check, before) in checks.into_iter().zip(before) {
            let after = decision(decide(view, &model, &check, &writes, &deletes));
            if before != after {
                let (before, after) = (before.into(), after.into());
                flips.push(Flip { check: check.into(), before, after });
            }
        }
        Ok(CompareResponse { flips })
    }

    fn explain(&self, view: &View, request: ExplainRequest) -> Result<ExplainResponse> {
        let check = request.check.into_option().unwrap_or_default();
        let model = store::model(view, &check.model_id)?;
        let relations = relations(view, &model, &check.context)?;
        let user = asked(&model, &check)?;
        let mut judge = Judge::new(&relations, &model, user).explaining();
        let allowed = judge.allows(&check.object, &check.relation)?;
        let cut = judge.cut;
        Ok(ExplainResponse { allowed, steps: judge.steps(), cut })
    }

    fn list_objects(
        &self, view: &View, request: ListObjectsRequest,
    ) -> Result<ListObjectsResponse> {
        let model = store::model(view, &request.model_id)?;
        model.rule(&request.r#type, &request.relation)?;
        let user = user_of(&model, &request.user)?;
        let relations = relations(view, &model, &request.context)?;
        let asked = (&*request.r#type, &*request.relation);
        let mut objects = reach::objects(&relations, &model, &user, asked)?;
        if !model.only_gives(asked.0, asked.1) {
            let mut judge = Judge::new(&relations, &model, user);
            objects = kept(objects, |object| judge.allows(object, asked.1))?;
        }
        let (objects, next_page_token) = page(view, &request, objects)?;
        Ok(ListObjectsResponse { objects, next_page_token })
    }

    async fn serve_fga(&self, ctx: &Ctx, request: ServeFgaRequest) -> Result<ServeFgaResponse> {
        fga::serve(ctx.clone(), request).await
    }

    fn list_users(&self, view: &View, request: ListUsersRequest) -> Result<ListUsersResponse> {
        let model = store::model(view, &request.model_id)?;
        let ListUsersRequest { object, relation, .. } = &request;
        let of = model::parts(object).ok_or_else(|| malformed("object", object))?.0;
        model.rule(of, relation)?;
        let wanted = match request.r#type.split_once('#') {
            Some((of, relation)) => (of, Some(relation)),
            None => (&*request.r#type, None),
        };
        model.stands_for(&User { of: wanted.0, id: "*", relation: wanted.1 })?;
        let relations = relations(view, &model, &request.context)?;
        let mut users = reach::users(&relations, &model, object, relation, wanted)?;
        if !model.only_gives(of, relation) {
            users = kept(users, |name| {
                let user = User::read(name).ok_or_else(|| malformed("user", name))?;
                Judge::new(&relations, &model, user).allows(object, relation)
            })?;
        }
        let (users, next_page_token) = page(view, &request, users)?;
        Ok(ListUsersResponse { users, next_page_token })
    }
}

/// Relations as a question sees them, once those that came with it are known to be some.
fn relations<'a>(
    view: &'a View<'a>, model: &model::Model, context: &'a [Relation],
) -> Result<Relations<'a>> {
    for it in context {
        model.admits(&it.object, &it.relation, &it.user)?;
    }
    Ok(Relations::new(view, context))
}

fn user_of<'a>(model: &model::Model, user: &'a str) -> Result<User<'a>> {
    let read = User::read(user).ok_or_else(|| malformed("user", user))?;
    model.stands_for(&read)?;
    Ok(read)
}

/// The user of a question that can be asked.
fn asked<'a>(model: &model::Model, check: &'a CheckRequest) -> Result<User<'a>> {
    model::parts(&check.object).ok_or_else(|| malformed("object", &check.object))?;
    model.rule(type_of(&check.object), &check.relation)?;
    user_of(model, &check.user)
}

fn decide(
    view: &View, model: &model::Model, check: &CheckRequest, writes: &[Relation],
    deletes: &[Relation],
) -> Result<bool> {
    let user = asked(model, check)?;
    let relations = relations(view, model, &check.context)?.changed(writes, deletes);
    Judge::new(&relations, model, user).allows(&check.object, &check.relation)
}

/// Answers questions, each by its model.
fn decisions(view: &View, checks: &[CheckRequest]) -> Result<Vec<Decision>> {
    let mut model = (String::new(), store::model(view, "")?);
    let mut decisions = Vec::new();
    for check in checks {
        if model.0 != check.model_id {
            model = (check.model_id.clone(), store::model(view, &check.model_id)?);
        }
        decisions.push(decision(decide(view, &model.1, check, &[], &[])));
    }
    Ok(decisions)
}

/// What is told of an answer, or that there is none.
fn decision(answer: Result<bool>) -> Decision {
    match answer {
        Ok(allowed) => Decision { allowed, reason: String::new() },
        Err(error) => Decision { allowed: false, reason: error.reason().to_owned() },
    }
}

/// A relation as people write it.
fn of(relation: &Relation) -> String {
    format!("{}#{}@{}", relation.object, relation.relation, relation.user)
}

/// Those of which something is so.
fn kept(
    names: BTreeSet<String>, mut is_so: impl FnMut(&str) -> Result<bool>,
) -> Result<BTreeSet<String>> {
    let mut kept = BTreeSet::new();
    for name in names {
        if is_so(&name)? {
            kept.insert(name);
        }
    }
    Ok(kept)
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
