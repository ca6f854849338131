//! OpenFGA's JSON, as models, requests and relations of the contract.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stoa_access_v1::*;
use stoa_kit::{Error, Reason as _, Result, Struct};

use crate::language;
use crate::model::{self, Kind, Rule, User, Which};

/// The alphabet of identifiers here, and the one of those of OpenFGA (Crockford), symbol by symbol.
const OURS: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
const THEIRS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A model, as a client writes it.
#[derive(Deserialize)]
pub(super) struct WrittenModel {
    schema_version: String,
    type_definitions: Vec<TypeDefinition>,
    #[serde(default)]
    conditions: BTreeMap<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct TypeDefinition {
    r#type: String,
    #[serde(default)]
    relations: BTreeMap<String, Userset>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
}

#[derive(Default, Serialize, Deserialize)]
struct Metadata {
    #[serde(default)]
    relations: BTreeMap<String, RelationMetadata>,
}

#[derive(Default, Serialize, Deserialize)]
struct RelationMetadata {
    #[serde(default)]
    directly_related_user_types: Vec<UserType>,
}

#[derive(Serialize, Deserialize)]
struct UserType {
    r#type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wildcard: Option<Value>,
    #[serde(default, skip_serializing)]
    condition: Option<String>,
}

/// From what a relation follows.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Userset {
    This {},
    #[serde(rename = "computedUserset")]
    Same(Related),
    #[serde(rename = "tupleToUserset", rename_all = "camelCase")]
    From {
        tupleset: Related,
        computed_userset: Related,
    },
    Union {
        child: Vec<Userset>,
    },
    Intersection {
        child: Vec<Userset>,
    },
    Difference {
        base: Box<Userset>,
        subtract: Box<Userset>,
    },
}

#[derive(Serialize, Deserialize)]
struct Related {
    relation: String,
}

/// A relation, or a part of one.
#[derive(Clone, Default, Deserialize)]
pub(super) struct TupleKey {
    #[serde(default)]
    pub(super) user: String,
    #[serde(default)]
    pub(super) relation: String,
    #[serde(default)]
    pub(super) object: String,
    #[serde(default)]
    condition: Option<Value>,
}

#[derive(Default, Deserialize)]
pub(super) struct TupleKeys {
    #[serde(default)]
    tuple_keys: Vec<TupleKey>,
    #[serde(default)]
    pub(super) on_duplicate: String,
    #[serde(default)]
    pub(super) on_missing: String,
}

#[derive(Deserialize)]
pub(super) struct Read {
    #[serde(default)]
    pub(super) tuple_key: Option<TupleKey>,
    #[serde(default)]
    pub(super) page_size: Option<i32>,
    #[serde(default)]
    pub(super) continuation_token: String,
}

#[derive(Deserialize)]
pub(super) struct Write {
    #[serde(default)]
    pub(super) writes: Option<TupleKeys>,
    #[serde(default)]
    pub(super) deletes: Option<TupleKeys>,
    #[serde(default)]
    pub(super) authorization_model_id: String,
}

#[derive(Deserialize)]
pub(super) struct Check {
    tuple_key: TupleKey,
    #[serde(default)]
    contextual_tuples: Option<TupleKeys>,
    #[serde(default)]
    authorization_model_id: String,
    #[serde(default)]
    context: Option<Struct>,
    #[serde(default)]
    pub(super) correlation_id: String,
}

#[derive(Deserialize)]
pub(super) struct Batch {
    pub(super) checks: Vec<Check>,
    #[serde(default)]
    pub(super) authorization_model_id: String,
}

#[derive(Deserialize)]
pub(super) struct ListedObjects {
    r#type: String,
    relation: String,
    user: String,
    #[serde(default)]
    contextual_tuples: Option<TupleKeys>,
    #[serde(default)]
    context: Option<Struct>,
    #[serde(default)]
    authorization_model_id: String,
}

#[derive(Deserialize)]
pub(super) struct ListedUsers {
    object: Object,
    relation: String,
    user_filters: Vec<UserFilter>,
    #[serde(default)]
    contextual_tuples: Vec<TupleKey>,
    #[serde(default)]
    context: Option<Struct>,
    #[serde(default)]
    authorization_model_id: String,
}

#[derive(Deserialize)]
struct Object {
    r#type: String,
    id: String,
}

#[derive(Deserialize)]
struct UserFilter {
    r#type: String,
    #[serde(default)]
    relation: String,
}

impl WrittenModel {
    /// The model in the language that models are written in.
    ///
    /// # Errors
    /// `access.model_invalid`.
    pub(super) fn definition(&self) -> Result<String> {
        let invalid = |wrong: String| Reason::ModelInvalid.because(wrong);
        if self.schema_version != "1.1" {
            return Err(invalid("the schema has to be 1.1".into()));
        }
        if !self.conditions.is_empty() {
            return Err(invalid("conditions are not understood here".into()));
        }
        let mut model = model::Model::default();
        for of in &self.type_definitions {
            let relations = of.rules().map_err(invalid)?;
            if model.types.insert(of.r#type.clone(), relations).is_some() {
                return Err(invalid(format!("`{}` is there twice", of.r#type)));
            }
        }
        let text = language::write(&model);
        // A name that is a word of the language would read as something else.
        match language::read(&text).map_err(invalid)? == model {
            true => Ok(text),
            false => Err(invalid("a name is one that the language of models uses".into())),
        }
    }
}

impl TypeDefinition {
    fn rules(&self) -> Result<BTreeMap<String, Rule>, String> {
        let metadata = self.metadata.as_ref().map(|metadata| &metadata.relations);
        let rule = |(name, userset): (&String, &Userset)| {
            let types = metadata.and_then(|all| all.get(name));
            let types = types.map_or(&[][..], |types| &types.directly_related_user_types);
            let kinds = types.iter().map(UserType::kind).collect::<Result<Vec<_>, _>>()?;
            Ok((name.clone(), userset.rule(&kinds)))
        };
        self.relations.iter().map(rule).collect()
    }

    /// A type of a model that was written.
    fn of(name: &str, relations: &BTreeMap<String, Rule>) -> Self {
        let kinds = |rule: &Rule| RelationMetadata {
            directly_related_user_types: rule.kinds().map(UserType::of).collect(),
        };
        let metadata = relations.iter().map(|(name, rule)| (name.clone(), kinds(rule))).collect();
        let usersets = relations.iter().map(|(name, rule)| (name.clone(), Userset::of(rule)));
        Self {
            r#type: name.to_owned(),
            relations: usersets.collect(),
            metadata: (!relations.is_empty()).then_some(Metadata { relations: metadata }),
        }
    }
}

impl UserType {
    fn kind(&self) -> Result<Kind, String> {
        if self.condition.as_ref().is_some_and(|condition| !condition.is_empty()) {
            return Err("conditions are not understood here".into());
        }
        let which = match (&self.relation, &self.wildcard) {
            (Some(relation), _) if !relation.is_empty() => Which::Having(relation.clone()),
            (_, Some(wildcard)) if !wildcard.is_null() => Which::All,
            _ => Which::One,
        };
        Ok(Kind { of: self.r#type.clone(), which })
    }

    fn of(kind: &Kind) -> Self {
        let (relation, wildcard) = match &kind.which {
            Which::One => (None, None),
            Which::All => (None, Some(json!({}))),
            Which::Having(relation) => (Some(relation.clone()), None),
        };
        Self { r#type: kind.of.clone(), relation, wildcard, condition: None }
    }
}

impl Userset {
    /// The rule, where what is written can be given to users of these kinds.
    fn rule(&self, kinds: &[Kind]) -> Rule {
        let all = |child: &[Self]| child.iter().map(|each| each.rule(kinds)).collect::<Vec<_>>();
        match self {
            Self::This {} => Rule::Written(kinds.to_vec()),
            Self::Same(of) => Rule::Same(of.relation.clone()),
            Self::From { tupleset, computed_userset } => Rule::From {
                relation: computed_userset.relation.clone(),
                through: tupleset.relation.clone(),
            },
            Self::Union { child } | Self::Intersection { child } if child.len() == 1 => {
                child[0].rule(kinds)
            }
            Self::Union { child } => Rule::Any(all(child)),
            Self::Intersection { child } => Rule::All(all(child)),
            Self::Difference { base, subtract } => {
                Rule::Unless(Box::new(base.rule(kinds)), Box::new(subtract.rule(kinds)))
            }
        }
    }

    fn of(rule: &Rule) -> Self {
        let all = |rules: &[Rule]| rules.iter().map(Self::of).collect();
        let related = |relation: &String| Related { relation: relation.clone() };
        match rule {
            Rule::Written(_) => Self::This {},
            Rule::Same(other) => Self::Same(related(other)),
            Rule::From { relation, through } => {
                Self::From { tupleset: related(through), computed_userset: related(relation) }
            }
            Rule::Any(rules) => Self::Union { child: all(rules) },
            Rule::All(rules) => Self::Intersection { child: all(rules) },
            Rule::Unless(base, but) => Self::Difference {
                base: Box::new(Self::of(base)),
                subtract: Box::new(Self::of(but)),
            },
        }
    }
}

/// A model that was written, as a client reads it.
pub(super) fn model_json(model: &Model) -> Result<Value> {
    let read = language::read(&model.definition).map_err(Error::internal)?;
    let types: Vec<TypeDefinition> =
        read.types.iter().map(|(name, relations)| TypeDefinition::of(name, relations)).collect();
    Ok(json!({
        "id": ulid(&model.id),
        "schema_version": "1.1",
        "type_definitions": serde_json::to_value(types).map_err(Error::internal)?,
        "conditions": {},
    }))
}

impl TupleKey {
    fn relation(self) -> Result<Relation> {
        if self.condition.is_some_and(|condition| !condition.is_null()) {
            let message = "conditions are not understood here";
            return Err(Error::field("tuple_key.condition", "unknown", message));
        }
        let Self { user, relation, object, .. } = self;
        Ok(Relation { user, relation, object, ..Relation::default() })
    }
}

impl TupleKeys {
    pub(super) fn relations(self) -> Result<Vec<Relation>> {
        self.tuple_keys.into_iter().map(TupleKey::relation).collect()
    }
}

/// The relations that come with a question.
fn context(keys: Option<&TupleKeys>) -> Result<Vec<Relation>> {
    keys.map_or(&[][..], |keys| &keys.tuple_keys).iter().map(|key| key.clone().relation()).collect()
}

impl Check {
    /// The question, by a model of its own or that of all.
    pub(super) fn request(&self, model: &str) -> Result<CheckRequest> {
        let TupleKey { user, relation, object, .. } = &self.tuple_key;
        let own = &*self.authorization_model_id;
        Ok(CheckRequest {
            user: user.clone(),
            relation: relation.clone(),
            object: object.clone(),
            context: context(self.contextual_tuples.as_ref())?,
            model_id: model_id(if own.is_empty() { model } else { own })?,
            attributes: self.context.clone().into(),
        })
    }
}

impl ListedObjects {
    pub(super) fn request(self, page_size: i32) -> Result<ListObjectsRequest> {
        Ok(ListObjectsRequest {
            context: context(self.contextual_tuples.as_ref())?,
            user: self.user,
            relation: self.relation,
            r#type: self.r#type,
            page_size,
            model_id: model_id(&self.authorization_model_id)?,
            attributes: self.context.into(),
            ..ListObjectsRequest::default()
        })
    }
}

impl ListedUsers {
    /// What is asked, for each kind of users that is wanted.
    pub(super) fn requests(self, page_size: i32) -> Result<Vec<ListUsersRequest>> {
        let context = self.contextual_tuples.into_iter().map(TupleKey::relation);
        let request = ListUsersRequest {
            object: format!("{}:{}", self.object.r#type, self.object.id),
            relation: self.relation,
            context: context.collect::<Result<_>>()?,
            page_size,
            model_id: model_id(&self.authorization_model_id)?,
            attributes: self.context.into(),
            ..ListUsersRequest::default()
        };
        let each = self.user_filters.into_iter().map(|filter| {
            let r#type = match &*filter.relation {
                "" => filter.r#type,
                relation => format!("{}#{relation}", filter.r#type),
            };
            ListUsersRequest { r#type, ..request.clone() }
        });
        Ok(each.collect())
    }
}

/// A user, as a list of users has it.
pub(super) fn user_json(name: &str) -> Value {
    match User::read(name) {
        Some(User { of, id, relation: Some(relation) }) => {
            json!({"userset": {"type": of, "id": id, "relation": relation}})
        }
        Some(User { of, id: "*", .. }) => json!({"wildcard": {"type": of}}),
        Some(User { of, id, .. }) => json!({"object": {"type": of, "id": id}}),
        None => Value::Null,
    }
}

/// A relation that was written.
pub(super) fn tuple(relation: &Relation) -> Value {
    let Relation { user, relation: name, object, create_time } = relation;
    let key = json!({"user": user, "relation": name, "object": object});
    json!({"key": key, "timestamp": &**create_time})
}

/// How many are wanted, and from where on, as a query says it.
pub(super) fn page(query: &str) -> Result<(i32, String)> {
    let (mut size, mut token) = (0, String::new());
    let no_number = |_| Error::field("page_size", "int32", "is no number");
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "page_size" => size = value.parse().map_err(no_number)?,
            "continuation_token" => {
                token = percent_decode_str(value).decode_utf8_lossy().into_owned();
            }
            _ => {}
        }
    }
    Ok((size, token))
}

/// The identifier of a tenant's store.
pub(super) fn store_id(tenant: &str) -> String {
    let hash = blake3::hash(format!("access store {tenant}").as_bytes());
    let bytes = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
    let mut bits = u128::from_be_bytes(bytes);
    let mut text = [0; 26];
    for place in text.iter_mut().rev() {
        *place = THEIRS[(bits & 31) as usize];
        bits >>= 5;
    }
    text.map(char::from).iter().collect()
}

/// The identifier of a model, as clients of OpenFGA want it.
pub(super) fn ulid(id: &str) -> String {
    let bits = id.rsplit('_').next().unwrap_or_default();
    translated(bits, OURS, THEIRS).unwrap_or_default()
}

/// The identifier of a model, from what a client has; empty for none.
pub(super) fn model_id(ulid: &str) -> Result<String> {
    if ulid.is_empty() {
        return Ok(String::new());
    }
    let bits = translated(ulid, THEIRS, OURS).filter(|bits| bits.len() == 26);
    bits.map(|bits| format!("mdl_{bits}")).ok_or_else(|| Error::not_found("model", ulid))
}

fn translated(text: &str, from: &[u8], to: &[u8]) -> Option<String> {
    let each = text.bytes().map(|byte| from.iter().position(|known| *known == byte));
    each.map(|place| Some(char::from(to[place?]))).collect()
}
