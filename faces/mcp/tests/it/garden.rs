//! A service that tells what it was asked.

use futures::StreamExt;
use stoa_kit::{
    Authenticated, Authenticator, Caller, Code, Ctx, Error, MAIN, Micros, Result, Service, Stream,
    Tx, View,
};

use contract::{
    BatchGetPlantsRequest, BatchGetPlantsResponse, CreatePlantRequest, CreatePlantResponse,
    DeletePlantRequest, DeletePlantResponse, GardenService, GetPlantRequest, GetPlantResponse,
    ListPlantsRequest, ListPlantsResponse, MovePlantRequest, MovePlantResponse, Plant,
    WatchPlantRequest, WatchPlantResponse, WaterPlantsRequest, WaterPlantsResponse,
};

pub(crate) mod contract {
    stoa_contract::contract!("garden", "tests/proto");
}

struct Garden;

impl GardenService for Garden {
    fn get_plant(&self, _: &View, request: GetPlantRequest) -> Result<GetPlantResponse> {
        let leaves = i64::from(request.shoots);
        let plant = Plant { id: request.id, leaves, shoots: Vec::new() };
        Ok(GetPlantResponse { plant: plant.into(), bed: request.bed })
    }

    fn list_plants(&self, _: &View, request: ListPlantsRequest) -> Result<ListPlantsResponse> {
        let plant = |number| Plant { id: format!("plant-{number}"), ..Plant::default() };
        Ok(ListPlantsResponse { plants: (0..request.page_size.max(1)).map(plant).collect() })
    }

    fn batch_get_plants(
        &self, _: &View, request: BatchGetPlantsRequest,
    ) -> Result<BatchGetPlantsResponse> {
        let plant = |id| Plant { id, ..Plant::default() };
        Ok(BatchGetPlantsResponse { plants: request.ids.into_iter().map(plant).collect() })
    }

    fn create_plant(&self, _: &mut Tx, request: CreatePlantRequest) -> Result<CreatePlantResponse> {
        Ok(CreatePlantResponse { plant: request.plant })
    }

    fn move_plant(&self, _: &mut Tx, _: MovePlantRequest) -> Result<MovePlantResponse> {
        Ok(MovePlantResponse {})
    }

    fn delete_plant(&self, _: &mut Tx, _: DeletePlantRequest) -> Result<DeletePlantResponse> {
        Ok(DeletePlantResponse {})
    }

    async fn watch_plant(
        &self, _: &Ctx, request: WatchPlantRequest,
    ) -> Result<Stream<WatchPlantResponse>> {
        if request.leaves == 0 {
            let leaves = futures::stream::iter(1..).map(|leaf| Ok(WatchPlantResponse { leaf }));
            return Ok(leaves.boxed());
        }
        let leaves = (1..=request.leaves.into()).map(|leaf| Ok(WatchPlantResponse { leaf }));
        let over = Error::new(Code::OutOfRange, "garden.over", "it does not grow").help("Wait.");
        Ok(futures::stream::iter(leaves.chain([Err(over)])).boxed())
    }

    fn water_plants(&self, _: &mut Tx, _: WaterPlantsRequest) -> Result<WaterPlantsResponse> {
        Ok(WaterPlantsResponse {})
    }
}

/// The service. A token is the name of its bearer, and whoever is a gardener may delete.
pub(crate) fn service() -> Service {
    Service::new(contract::serve(Garden)).authenticates(Authenticator {
        tenant: |_| Some(MAIN),
        run: |_, token| {
            let granted: &[&str] = match token {
                "bad" => return Ok(None),
                "user:usr_gardener" => &["garden.*"],
                _ => &[],
            };
            let caller = Caller::of(MAIN, token, granted);
            Ok(Some(Authenticated { caller, until: Micros(i64::MAX), due: None }))
        },
        principal: |_, _, _| Ok(None),
        prepare: |_, _| Ok(false),
    })
}
