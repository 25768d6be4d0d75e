"""Models, endpoint configurations and endpoints: how SageMaker's nouns of hosting become plans of the engine."""
