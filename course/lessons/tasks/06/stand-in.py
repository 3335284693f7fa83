def use_stand_in(app):
    answer = httpx.MockTransport(lambda request: httpx.Response(200, text="hello"))
    stand_in = httpx.AsyncClient(transport=answer)
    app.dependency_overrides[get_client] = lambda: stand_in
