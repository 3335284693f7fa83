def use_stand_in(app):
    answer = httpx.MockTransport(lambda request: httpx.Response(200, text="hello"))
    app.dependency_overrides[get_client] = httpx.AsyncClient(transport=answer)
