def use_stand_in(app):
    answer = httpx.MockTransport(lambda request: httpx.Response(200, text="hello"))
    app.state.client = httpx.AsyncClient(transport=answer)
